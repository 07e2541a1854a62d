"""A search with a shortlist is a search over the whole vocabulary with the rest left out."""

from pathlib import Path

import pytest

from mt.beam_search import Finished, Hypothesis, Job, RunningBatch, SearchOptions
from mt.shortlist import Shortlist
from mt.stepper import Stepper
from serving.onnx_stepper import open_stepper
from tests.golden.test_onnx_parity import ATTENTIVE, MODELS, SOURCES, TOLERANCE
from tests.listing_stepper import ListingStepper, random_shortlist, whole_vocabulary
from tests.property.test_batch_invariance import PAIRS
from tests.tiny_bundle import write_tiny_bundle

Pair = tuple[Stepper, Stepper]
CASES = [*((family, "fp32") for family in ATTENTIVE), ("transformer", "int8"), ("gru", "int8")]
SHORTLIST = random_shortlist(seed=4)
OPTIONS = [
    SearchOptions(beam_size=1, max_length=20),
    SearchOptions(beam_size=5, n_best=5, max_length=20),
    SearchOptions(beam_size=4, attention=True, no_repeat_ngram=2, min_length=6, max_length=20),
    SearchOptions(samples=3, max_length=20),
    SearchOptions(prefix=(14, 17), beam_size=3, max_length=20),
    SearchOptions(terms=((7, 8), (19,), (23, 24)), max_length=20),
    SearchOptions(terms=((11, 12, 13),), term_bias=2.0, beam_size=3, max_length=20),
]


def steppers(folder: Path, family: str, precision: str, shortlist: Shortlist) -> Pair:
    """With the shortlist, and without."""
    bundle = write_tiny_bundle(folder / "bundle", MODELS[family](), PAIRS, shortlist)
    return open_stepper(bundle, precision, shortlist=True), open_stepper(bundle, precision)


@pytest.mark.parametrize(("family", "precision"), CASES)
def test_the_whole_vocabulary_listed_changes_nothing(
    family: str, precision: str, tmp_path: Path
) -> None:
    short, full = steppers(tmp_path, family, precision, whole_vocabulary())
    assert_same(answers(short), answers(full))


@pytest.mark.parametrize(("family", "precision"), CASES)
def test_what_is_not_listed_is_left_out(family: str, precision: str, tmp_path: Path) -> None:
    """Its probability goes to what is listed; terms and prefixes join the list."""
    short, full = steppers(tmp_path, family, precision, SHORTLIST)
    found = answers(short)
    assert_same(found, answers(ListingStepper(full, SHORTLIST)))
    assert [one.hypotheses[0].ids for one in found] != [
        one.hypotheses[0].ids for one in answers(full)
    ]
    for i, one in enumerate(found):
        options = OPTIONS[i % len(OPTIONS)]
        if not options.terms and not options.prefix:
            listed = set(SHORTLIST.of(SOURCES[i]).tolist())
            assert all(set(hypothesis.ids) <= listed for hypothesis in one.hypotheses)


def answers(stepper: Stepper) -> list[Finished]:
    """Of every source with some of the options, one more joining at each step."""
    jobs = [Job(i, source, OPTIONS[i % len(OPTIONS)]) for i, source in enumerate(SOURCES[:14])]
    batch, waiting, finished = RunningBatch(stepper), list(jobs), list[Finished]()
    while waiting or batch.sentences:
        if waiting:
            batch.admit([waiting.pop(0)])
        finished += batch.step()
    return sorted(finished, key=lambda one: int(str(one.key)))


def assert_same(found: list[Finished], wanted: list[Finished]) -> None:
    assert [ids(one.hypotheses) for one in found] == [ids(one.hypotheses) for one in wanted]
    for ours, theirs in zip(found, wanted, strict=True):
        for a, b in zip(ours.hypotheses, theirs.hypotheses, strict=True):
            assert a.token_log_probs == pytest.approx(b.token_log_probs, abs=TOLERANCE)


def ids(hypotheses: list[Hypothesis]) -> list[list[int]]:
    return [list(one.ids) for one in hypotheses]
