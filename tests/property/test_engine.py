"""Whatever joins, leaves, or fails meanwhile: a sentence that is answered is answered rightly."""

from concurrent.futures import CancelledError, wait

from hypothesis import given, settings
from hypothesis import strategies as st

from mt.beam_search import SearchOptions, search
from mt.errors import EngineError
from mt.stepper import Rows, StepOutput
from mt.tokenizer import EOS_ID
from serving.engine import Engine
from serving.running.cores import LocalCore
from serving.settings import EngineSettings
from tests.fakes import TableStepper

POISON = 8
VOCAB_SIZE = 9
MAX_TOKENS = 8
jobs = st.lists(
    st.tuples(
        st.lists(st.integers(4, VOCAB_SIZE - 1), min_size=1, max_size=4),
        st.integers(1, 5),
        st.booleans(),
    ),
    min_size=1,
    max_size=12,
)


class PoisonedStepper(TableStepper):
    """Fails every batch that holds the poisonous id."""

    def step(self, rows: Rows, k: int, with_attention: bool = False) -> StepOutput:
        if any(POISON in src for src in self.running.values()):
            raise RuntimeError("poison")
        return super().step(rows, k, with_attention)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 9), jobs=jobs, max_rows=st.integers(1, 12))
def test_answers_are_those_of_the_search_alone(
    seed: int, jobs: list[tuple[list[int], int, bool]], max_rows: int
) -> None:
    stepper = PoisonedStepper(seed, VOCAB_SIZE, eos_bias=1.0)
    with Engine([LocalCore(stepper, MAX_TOKENS)], EngineSettings(max_rows=max_rows)) as engine:
        futures = [
            engine.submit([*src, EOS_ID], SearchOptions(beam_size=beam)) for src, beam, _ in jobs
        ]
        for future, (_, _, leaves) in zip(futures, jobs, strict=True):
            if leaves:
                future.cancel()
        assert not wait(futures, 60).not_done
        assert engine.drain(60)
        stats = engine.stats()
    assert stats.done + stats.failed + stats.cancelled == len(jobs)
    assert stepper.running == {}
    reference = TableStepper(seed, VOCAB_SIZE, eos_bias=1.0)
    for future, (src, beam, _) in zip(futures, jobs, strict=True):
        try:
            answer = future.result()
        except CancelledError:
            continue
        except EngineError:
            assert POISON in src
            continue
        assert POISON not in src
        alone = search(
            reference,
            [[*src, EOS_ID]],
            SearchOptions(beam_size=beam),
            max_rows=8,
            max_target_tokens=MAX_TOKENS,
        )
        assert [(h.ids, h.score) for h in answer] == [(h.ids, h.score) for h in alone[0]]
