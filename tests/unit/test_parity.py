"""The gate itself: what counts as equal, as a tie, as a loss."""

from dataclasses import replace

import pytest

from mt.errors import BundleError
from mt.hypothesis import Hypothesis
from training.corpora.pair import Pair
from training.export.assemble import CALIBRATION_SENTENCES, parts
from training.export.parity import Agreement, is_tie, largest_gap, require, same_tokens

EXACT = Agreement("fp32", 5, 200, 200, 0, [], 1e-5, 34.0, 34.0)
INT8 = Agreement("int8", 5, 200, 150, 0, list(range(1, 51)), 0.1, 33.8, 34.0)


def hypothesis(ids: list[int], log_probs: list[float], score: float | None = None) -> Hypothesis:
    total = sum(log_probs)
    return Hypothesis(ids, total if score is None else score, total, log_probs, finished=True)


def test_equal_tokens_differ_by_their_end() -> None:
    a = hypothesis([5, 6], [-1.0, -1.0, -0.5])
    assert same_tokens(a, replace(a, score=-9.0))
    assert not same_tokens(a, replace(a, finished=False))


def test_equal_scores_are_a_tie() -> None:
    a = hypothesis([5, 6], [-1.0, -2.0, -0.5])
    assert is_tie(a, hypothesis([7], [-3.0, -0.50009]))
    assert not is_tie(a, hypothesis([7], [-3.0, -0.5002]))


def test_a_tie_at_the_first_different_token_decides_all_that_follow() -> None:
    a = hypothesis([5, 6, 7], [-1.0, -2.0, -0.1, -0.1])
    assert is_tie(a, hypothesis([5, 8, 9], [-1.0, -2.00005, -3.0, -3.0]))
    assert not is_tie(a, hypothesis([5, 8, 9], [-1.0, -2.1, -3.0, -3.0]))


def test_ending_early_ties_with_the_token_that_goes_on() -> None:
    assert is_tie(hypothesis([5], [-1.0, -2.0]), hypothesis([5, 6], [-1.0, -2.00001, -4.0]))


def test_the_gap_is_that_of_one_token() -> None:
    a, b = hypothesis([5], [-1.0, -2.0]), hypothesis([5], [-1.25, -2.5])
    assert largest_gap(a, b) == 0.5


def test_what_passes() -> None:
    require([EXACT, replace(EXACT, identical=198, tied=2), INT8])


@pytest.mark.parametrize(
    ("agreement", "says"),
    [
        (
            replace(EXACT, identical=198, different=[4, 17]),
            r"fp32, beam 5: 2 of 200 translations are not PyTorch's \(sentences 4, 17\)",
        ),
        (
            replace(EXACT, log_prob_difference=0.01),
            r"fp32, beam 5: log-probabilities differ by up to 1\.0e-02",
        ),
        (replace(INT8, bleu=33.6), r"loses 0\.40 BLEU, more than 0\.3; leave int8 out"),
    ],
)
def test_what_is_refused(agreement: Agreement, says: str) -> None:
    with pytest.raises(BundleError, match=says):
        require([EXACT, agreement])


def test_all_problems_are_named_at_once() -> None:
    with pytest.raises(BundleError, match=r"beam 1.*; .*beam 5"):
        require([replace(INT8, beam_size=1, bleu=0.0), replace(INT8, bleu=0.0)])


def test_a_larger_loss_may_be_allowed() -> None:
    require([replace(INT8, bleu=31.0)], largest_loss=3.5)


@pytest.mark.parametrize(
    ("given", "proving", "apart"), [(300, 300, False), (1014, 758, True), (1500, 1000, True)]
)
def test_what_calibrates_proves_nothing_where_there_is_enough(
    given: int, proving: int, apart: bool
) -> None:
    pairs = [Pair(str(i), str(i)) for i in range(given)]
    proofs, calibrating = parts(pairs)
    assert (len(proofs), len(calibrating)) == (proving, CALIBRATION_SENTENCES)
    assert set(proofs).isdisjoint(calibrating) == apart
