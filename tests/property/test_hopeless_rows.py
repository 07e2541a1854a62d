"""No row is stepped that cannot win with the words it is granted, and none dropped that can."""

from hypothesis import given, settings
from hypothesis import strategies as st

from mt.beam_search import Job, RunningBatch, SearchOptions
from mt.stepper import Rows, StepOutput
from mt.tokenizer import EOS_ID
from tests.fakes import TableStepper
from tests.slow_search import Tokens, best_ahead, plain_steps, score_to_beat

LONGEST = 7
ROUNDING = 1e-9
sources = st.lists(st.integers(4, 8), max_size=5).map(lambda ids: [*ids, EOS_ID])


class WatchedStepper(TableStepper):
    """Remembers the ids of every row it was asked to step: step by step, by slot."""

    def __init__(self, seed: int, peak: float, eos_bias: float) -> None:
        super().__init__(seed, peak=peak, eos_bias=eos_bias)
        self.stepped: list[dict[int, set[Tokens]]] = []

    def step(self, rows: Rows, k: int, with_attention: bool = False) -> StepOutput:
        output = super().step(rows, k, with_attention)
        self.stepped.append({})
        for slot, tokens in self._previous:
            self.stepped[-1].setdefault(slot, set()).add(tokens)
        assert sum(map(len, self.stepped[-1].values())) == len(self._previous)  # none twice
        return output


models = st.builds(
    WatchedStepper,
    seed=st.integers(0, 10_000),
    peak=st.sampled_from([0.3, 1.0, 3.0]),
    eos_bias=st.sampled_from([-1.0, 0.0, 1.0, 2.0]),
)


@st.composite
def options(draw: st.DrawFn) -> SearchOptions:
    max_length, beam_size = draw(st.integers(1, LONGEST)), draw(st.integers(1, 8))
    return SearchOptions(
        max_length=max_length,
        beam_size=beam_size,
        n_best=draw(st.integers(1, beam_size)),
        length_norm=draw(st.sampled_from(["wu", "average"])),
        length_penalty=draw(st.sampled_from([0.0, 0.6, 1.0, 2.0])),
        coverage_penalty=draw(st.sampled_from([0.0, 0.5])),
        min_length=draw(st.integers(0, max_length)),
        prefix=(4,) * draw(st.integers(0, min(2, max_length))),
        no_repeat_ngram=draw(st.integers(0, 3)),
        early_stopping=draw(st.sampled_from([None, 0, 1, 3])),
    )


@settings(max_examples=60, deadline=None)
@given(models, st.lists(st.tuples(sources, options()), min_size=1, max_size=4))
def test_rows_are_stepped_exactly_as_long_as_they_can_win(
    model: WatchedStepper, asked: list[tuple[list[int], SearchOptions]]
) -> None:
    batch = RunningBatch(model)
    batch.admit([Job(i, src, how) for i, (src, how) in enumerate(asked)])
    while batch.sentences:
        batch.step()
    for slot, (src, how) in enumerate(asked):
        stepped = [rows.get(slot, set()) for rows in model.stepped]
        assert how.max_length
        for step, (live, ended) in enumerate(plain_steps(model, src, how, how.max_length)):
            to_beat = score_to_beat(model, src, how, ended)
            ahead = {tokens: best_ahead(model, src, how, tokens) for tokens in live}
            rows = stepped[step] if step < len(stepped) else set()
            assert rows <= {tokens for tokens in live if ahead[tokens] > to_beat - ROUNDING}
            assert rows >= {tokens for tokens in live if ahead[tokens] > to_beat + ROUNDING}
            stepped[step : step + 1] = [set()]
        assert not any(stepped)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), sources, st.integers(1, 6), st.integers(1, LONGEST))
def test_samples_that_have_ended_are_not_stepped(
    seed: int, src: list[int], samples: int, max_length: int
) -> None:
    model = TableStepper(seed, eos_bias=1.0)
    batch, lengths = RunningBatch(model), list[int]()
    batch.admit([Job("x", src, SearchOptions(samples=samples, max_length=max_length))])
    rows = []
    while batch.sentences:
        rows.append(batch.rows)
        for finished in batch.step():
            lengths = [len(one.token_log_probs) for one in finished.hypotheses]
    assert rows == [sum(length > step for length in lengths) for step in range(max(lengths))]
