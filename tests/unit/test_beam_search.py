import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from mt.beam_search import Finished, Hypothesis, Job, RunningBatch, SearchOptions, search
from mt.errors import ConfigError, EngineError, InputError
from mt.tokenizer import EOS_ID
from tests.fakes import CheckedStepper, EchoStepper, Floats, TableStepper

A, B, C = 4, 5, 6
SRC = [A, B, EOS_ID]


class Scripted(CheckedStepper):
    """Probabilities written by hand, by prefix; what is not written is certain to end."""

    def __init__(self, script: Mapping[tuple[int, ...], Mapping[int, float]]) -> None:
        super().__init__(vocab_size=7)
        self._script = script

    def distribution(self, src: Sequence[int], prefix: Sequence[int]) -> Floats:
        log_probs = np.full(self.vocab_size, -np.inf, np.float32)
        for token, probability in self._script.get(tuple(prefix), {EOS_ID: 1.0}).items():
            log_probs[token] = math.log(probability)
        return log_probs


# Greedy takes A at once and can only reach 0.6 * 0.5; B leads to 0.4 * 0.9.
GARDEN_PATH = {
    (): {A: 0.6, B: 0.4},
    (A,): {EOS_ID: 0.5, A: 0.3, C: 0.2},
    (B,): {C: 0.9, EOS_ID: 0.1},
}


def only(
    stepper: CheckedStepper, src: Sequence[int] = SRC, cap: int = 256, **options: Any
) -> list[Hypothesis]:
    """The hypotheses of one sentence."""
    (hypotheses,) = search(
        stepper, [src], SearchOptions.model_validate(options), max_target_tokens=cap
    )
    return hypotheses


def run(batch: RunningBatch) -> list[Finished]:
    """Step until nothing runs."""
    finished = []
    while batch.sentences:
        finished += batch.step()
    return finished


def test_greedy_takes_the_best_id_each_time() -> None:
    (found,) = only(Scripted(GARDEN_PATH), beam_size=1)
    assert found.ids == [A]
    assert found.log_prob == pytest.approx(math.log(0.6 * 0.5))


def test_a_beam_of_two_finds_what_greedy_misses() -> None:
    (found,) = only(Scripted(GARDEN_PATH), beam_size=2, length_penalty=0)
    assert found.ids == [B, C]
    assert found.score == found.log_prob == pytest.approx(math.log(0.4 * 0.9))


def test_scores_and_token_log_probs_worked_by_hand() -> None:
    (found,) = only(Scripted(GARDEN_PATH), beam_size=2, length_penalty=1)
    assert found.token_log_probs == pytest.approx([math.log(0.4), math.log(0.9), 0.0])
    assert found.score == pytest.approx(math.log(0.36) / (8 / 6))  # three tokens with eos
    assert found.finished


def test_n_best_are_sorted() -> None:
    found = only(Scripted(GARDEN_PATH), beam_size=3, n_best=3, length_penalty=0)
    assert [one.ids for one in found] == [[B, C], [A], [A, A]]
    assert [math.exp(one.score) for one in found] == pytest.approx([0.36, 0.3, 0.18])


def test_fewer_hypotheses_where_fewer_exist() -> None:
    found = only(Scripted({(): {A: 0.7, EOS_ID: 0.3}}), beam_size=5, n_best=5)
    assert [one.ids for one in found] == [[A], []]


def test_a_length_penalty_prefers_the_longer() -> None:
    script = {(): {EOS_ID: 0.5, A: 0.5}, (A,): {B: 0.9, EOS_ID: 0.1}}
    assert only(Scripted(script), beam_size=2, length_penalty=0)[0].ids == []
    assert only(Scripted(script), beam_size=2, length_penalty=2)[0].ids == [A, B]
    longer = only(Scripted(script), beam_size=2, length_penalty=1, length_norm="average")
    assert longer[0].ids == [A, B]
    assert longer[0].score == pytest.approx(math.log(0.45) / 3)


def test_a_row_that_cannot_win_any_more_is_dropped() -> None:
    stepper = Scripted({(): {A: 0.9, B: 0.1}, (B,): {A: 1.0}, (B, A): {A: 1.0}})
    batch = RunningBatch(stepper)
    batch.admit([Job("x", SRC, SearchOptions(beam_size=2, length_penalty=0))])
    batch.step()
    assert batch.rows == 2
    (finished,) = batch.step()  # A eos has 0.9, all that begins with B at most 0.1
    assert finished.hypotheses[0].ids == [A]


def test_what_may_still_win_lives_on() -> None:
    stepper = Scripted({(): {EOS_ID: 0.52, A: 0.48}})
    (found,) = only(stepper, beam_size=2, length_penalty=1, max_length=2)
    assert found.ids == [A]  # log 0.48 / (7/6) = -0.629 beats log 0.52 = -0.654


def test_ties_go_to_the_smaller_id() -> None:
    stepper = Scripted({(): {A: 0.25, B: 0.25, C: 0.25, EOS_ID: 0.25}})
    found = only(stepper, beam_size=2, n_best=2, length_penalty=0)
    assert [one.ids for one in found] == [[], [A]]


def test_min_length_counts_eos() -> None:
    script = {(): {EOS_ID: 0.9, A: 0.1}, (A,): {EOS_ID: 0.9, A: 0.1}}
    for min_length, ids in [(0, []), (1, []), (2, [A]), (3, [A, A])]:
        assert only(Scripted(script), beam_size=1, min_length=min_length)[0].ids == ids


def test_max_length_cuts_unfinished_hypotheses() -> None:
    (found,) = only(EchoStepper(9), src=[A, B, C, EOS_ID], beam_size=1, max_length=2)
    assert (found.ids, found.finished) == ([A, B], False)
    assert len(found.token_log_probs) == 2


def test_max_length_counts_eos() -> None:
    (found,) = only(EchoStepper(9), src=[A, B, EOS_ID], beam_size=1, max_length=3)
    assert (found.ids, found.finished) == ([A, B], True)


def test_the_default_longest_length_follows_the_source() -> None:
    endless = TableStepper(seed=0, eos_bias=-100.0)
    assert len(only(endless, src=SRC, beam_size=1)[0].ids) == 2 * 3 + 10


def test_the_hard_cap_wins_over_every_option() -> None:
    endless = TableStepper(seed=0, eos_bias=-100.0)
    assert len(only(endless, cap=4, max_length=9)[0].ids) == 4
    assert len(only(endless, cap=4, min_length=9)[0].ids) == 4


def test_a_prefix_is_given_not_scored() -> None:
    (found,) = only(Scripted(GARDEN_PATH), beam_size=2, prefix=[B, A])
    assert found.ids == [B, A]  # though the model never says A after B
    assert found.token_log_probs == [0.0, 0.0, 0.0]
    assert found.log_prob == 0.0


def test_a_sentence_inside_its_prefix_has_one_row() -> None:
    stepper = TableStepper(seed=1, eos_bias=-9.0)
    batch = RunningBatch(stepper)
    batch.admit([Job("x", SRC, SearchOptions(beam_size=4, prefix=(A, B)))])
    rows = [batch.rows for _ in range(3) if batch.step() == []]
    assert rows == [1, 1, 4]


def test_a_prefix_may_fill_the_whole_length() -> None:
    (found,) = only(TableStepper(seed=1), prefix=[A, B], max_length=2, n_best=1)
    assert (found.ids, found.finished, found.score) == ([A, B], False, 0.0)


def test_no_ngram_comes_twice() -> None:
    script = {
        (): {A: 1.0},
        (A,): {B: 1.0},
        (A, B): {A: 0.9, EOS_ID: 0.1},
        (A, B, A): {B: 0.6, C: 0.4},
        (A, B, A, B): {EOS_ID: 1.0},
    }
    assert only(Scripted(script), beam_size=1)[0].ids == [A, B, A, B]
    assert only(Scripted(script), beam_size=1, no_repeat_ngram=2)[0].ids == [A, B, A, C]
    assert only(Scripted(script), beam_size=1, no_repeat_ngram=1)[0].ids == [A, B]


def test_an_ngram_of_the_prefix_counts() -> None:
    (found,) = only(Scripted({(A,): {A: 0.6, B: 0.4}}), beam_size=1, prefix=[A], no_repeat_ngram=1)
    assert found.ids == [A, B]


def test_a_row_that_nothing_may_continue_ends_as_it_is() -> None:
    always_a = Scripted({(): {A: 1.0}, (A,): {A: 1.0}})
    (found,) = only(always_a, beam_size=2, no_repeat_ngram=1)
    assert (found.ids, found.finished) == ([A], False)


def test_a_sentence_that_cannot_even_begin_is_empty() -> None:
    (found,) = only(Scripted({}), min_length=2, length_norm="average")
    assert (found.ids, found.finished, found.score) == ([], False, 0.0)


def test_attention_is_kept_on_request_only() -> None:
    src = [A, B, EOS_ID]
    (found,) = only(EchoStepper(9), src=src, attention=True)
    assert found.attention is not None
    assert found.attention.tolist() == np.eye(3).tolist()
    assert only(EchoStepper(9), src=src)[0].attention is None


def test_attention_of_a_cut_hypothesis_has_one_row_a_token() -> None:
    (found,) = only(EchoStepper(9), src=[A, B, EOS_ID], attention=True, max_length=2)
    assert found.attention is not None
    assert found.attention.shape == (2, 3)


def test_attention_beside_a_longer_neighbour_has_the_width_of_its_own_source() -> None:
    batch = RunningBatch(EchoStepper(9))
    batch.admit([Job("long", [A, B, C, B, A, EOS_ID], SearchOptions())])
    batch.step()
    batch.admit([Job("short", [A, EOS_ID], SearchOptions(attention=True))])
    found = {one.key: one.hypotheses[0] for one in run(batch)}
    assert found["long"].attention is None
    assert found["short"].attention is not None
    assert found["short"].attention.tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_no_attention_from_a_model_that_has_none() -> None:
    (found,) = only(TableStepper(seed=0, attentive=False), attention=True)
    assert found.attention is None


def test_coverage_prefers_the_hypothesis_that_reads_the_whole_source() -> None:
    class TwoWays(Scripted):
        def attention(self, src: Sequence[int], prefix: Sequence[int]) -> Floats:
            looks_on = prefix[:1] == (B,)
            return np.array([not looks_on, looks_on], np.float32)

    stepper = TwoWays({(): {A: 0.6, B: 0.4}})
    assert only(stepper, src=[A, EOS_ID], beam_size=2)[0].ids == [A]
    (found,) = only(stepper, src=[A, EOS_ID], beam_size=2, coverage_penalty=0.1)
    assert found.ids == [B]
    assert found.score == pytest.approx(math.log(0.4) / (7 / 6))  # all covered: log 1 + log 1


def test_coverage_without_attention_is_refused() -> None:
    stepper = TableStepper(seed=0, attentive=False)
    with pytest.raises(ConfigError, match="coverage_penalty needs attention"):
        only(stepper, coverage_penalty=0.1)
    assert not stepper.running


def test_log_probabilities_that_are_not_numbers_are_an_error() -> None:
    class Broken(EchoStepper):
        def distribution(self, src: Sequence[int], prefix: Sequence[int]) -> Floats:
            return np.full(self.vocab_size, np.nan, np.float32)

    with pytest.raises(EngineError, match="weights are broken"):
        only(Broken(9))


def test_a_required_term_costs_what_the_model_says() -> None:
    (found,) = only(Scripted(GARDEN_PATH), beam_size=4, length_penalty=0, terms=((A, A),))
    assert found.ids == [A, A]  # though ending after the first A is likelier
    assert found.log_prob == pytest.approx(math.log(0.6 * 0.3))


def test_a_preferred_term_has_its_logits_raised() -> None:
    """Twice as likely as it was, then divided by what all are together."""
    asked: dict[str, Any] = {"beam_size": 4, "n_best": 3, "length_penalty": 0}
    asked |= {"terms": ((C,),), "term_bias": math.log(2)}
    found = only(Scripted(GARDEN_PATH), **asked)
    assert [one.ids for one in found] == [[B, C], [A], [A, C]]
    probabilities = [0.4 * 1.8 / 1.9, 0.6 * 0.5 / 1.2, 0.6 * 0.4 / 1.2]
    assert [math.exp(one.log_prob) for one in found] == pytest.approx(probabilities)


def test_what_holds_most_of_its_terms_wins_where_they_do_not_fit() -> None:
    (found,) = only(Scripted(GARDEN_PATH), beam_size=4, terms=((B,), (A, A)), max_length=2)
    assert found.ids == [A, A]
    assert not found.finished


@pytest.mark.parametrize(
    ("src", "options", "problem"),
    [
        ([], {}, "nothing to translate"),
        (SRC, {"prefix": (9,)}, "ids above 8"),
        (SRC, {"prefix": (A,) * 17}, "17 tokens, at most 16 fit"),
        (SRC, {"terms": ((A,), (A, 9))}, "a term holds ids above 8"),
    ],
)
def test_a_job_that_cannot_be_searched_is_refused(
    src: list[int], options: dict[str, Any], problem: str
) -> None:
    stepper = EchoStepper(9)
    batch = RunningBatch(stepper)
    good = Job("good", SRC, SearchOptions())
    with pytest.raises(InputError, match=problem):
        batch.admit([good, Job("bad", src, SearchOptions(**options))])
    assert batch.sentences == stepper.admitted == 0  # all or none


def test_an_empty_source_stops_a_search_before_it_begins() -> None:
    stepper = EchoStepper(9)
    with pytest.raises(InputError):
        search(stepper, [SRC, []], SearchOptions())
    assert stepper.admitted == 0


def test_two_sentences_with_one_key_are_refused() -> None:
    batch = RunningBatch(EchoStepper(9))
    batch.admit([Job("x", SRC, SearchOptions())])
    with pytest.raises(ValueError, match="one key"):
        batch.admit([Job("x", SRC, SearchOptions())])


def test_an_idle_batch_does_nothing() -> None:
    stepper = EchoStepper(9)
    batch = RunningBatch(stepper)
    batch.admit([])
    batch.cancel(["unknown"])
    assert batch.step() == []
    assert stepper.steps == 0


def test_rows_are_free_as_soon_as_a_sentence_leaves() -> None:
    stepper = EchoStepper(9)
    batch = RunningBatch(stepper)
    batch.admit([Job(key, SRC, SearchOptions(beam_size=3)) for key in "ab"])
    batch.step()
    assert (batch.sentences, batch.rows) == (2, 4)  # of three survivors, one is eos
    batch.cancel(["a", "unknown"])
    assert (batch.sentences, batch.rows, len(stepper.running)) == (1, 2, 1)
    assert [one.key for one in run(batch)] == ["b"]
    assert (batch.sentences, batch.rows, len(stepper.running)) == (0, 0, 0)


def test_a_key_may_come_again_once_its_sentence_is_answered() -> None:
    batch = RunningBatch(EchoStepper(9))
    for _ in range(2):
        batch.admit([Job("x", SRC, SearchOptions())])
        (finished,) = run(batch)
        assert finished.hypotheses[0].ids == SRC[:-1]


def test_a_batch_is_of_use_again_after_its_model_failed() -> None:
    stepper = EchoStepper(9, fail_after=1)
    batch = RunningBatch(stepper)
    batch.admit([Job("x", SRC, SearchOptions())])
    batch.step()
    with pytest.raises(EngineError):
        batch.step()
    batch.cancel(["x"])
    stepper.fail_after = None
    batch.admit([Job("y", SRC, SearchOptions())])
    (finished,) = run(batch)
    assert (finished.key, finished.hypotheses[0].ids) == ("y", SRC[:-1])


def test_a_search_answers_in_the_order_of_its_sources() -> None:
    sources = [[A, EOS_ID], [B, C, A, EOS_ID], [EOS_ID], [C, B, EOS_ID]]
    found = search(EchoStepper(9), sources, SearchOptions())
    assert [hypotheses[0].ids for hypotheses in found] == [src[:-1] for src in sources]


def test_a_search_of_nothing_is_empty() -> None:
    assert search(EchoStepper(9), [], SearchOptions()) == []


def test_a_search_keeps_within_its_rows_and_fills_them_at_once() -> None:
    stepper = EchoStepper(9)
    sources = [[A] * n + [EOS_ID] for n in (1, 5, 2, 4, 3)]
    search(stepper, sources, SearchOptions(beam_size=1), max_rows=2)
    assert stepper.most_rows == 2
    assert stepper.steps == 11  # 6 + 3 beside 5 + 4 + 2, in place of 6 + 4 + 2 for full batches


def test_a_beam_wider_than_the_rows_runs_alone() -> None:
    stepper = EchoStepper(9)
    found = search(stepper, [SRC, SRC], SearchOptions(beam_size=4), max_rows=1)
    assert [hypotheses[0].ids for hypotheses in found] == [SRC[:-1]] * 2
    assert stepper.most_rows <= 4


def test_a_search_tells_how_many_sentences_are_finished() -> None:
    told: list[int] = []
    sources = [[A, EOS_ID], [B, EOS_ID], [A, B, C, EOS_ID]]
    search(EchoStepper(9), sources, SearchOptions(beam_size=1), on_finished=told.append)
    assert told == [2, 1]


def test_a_failed_search_leaves_the_stepper_empty() -> None:
    stepper = EchoStepper(9, fail_after=1)
    with pytest.raises(EngineError):
        search(stepper, [SRC, SRC], SearchOptions())
    assert not stepper.running
