"""The same text, model and settings give the same tokens and scores to the last bit: alone, among
many, beside other beams, mid-flight, again."""

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from mt.beam_search import Hypothesis, Job, RunningBatch, SearchOptions
from mt.stepper import Stepper
from mt.tokenizer import BOS_ID, EOS_ID
from serving.onnx_stepper import open_stepper
from tests.golden.test_onnx_parity import MODELS
from tests.tiny_bundle import random_sources, write_tiny_bundle

PAIRS = [
    ([*ids, EOS_ID], [BOS_ID, *ids]) for ids in ([5, 6, 7, 8], [9, 10, 11], [12, 13, 14, 15, 16])
]
SOURCES = random_sources(seed=3, count=12)
CHOICES = [
    SearchOptions(beam_size=1, max_length=24),
    SearchOptions(beam_size=2, max_length=30, n_best=2),
    SearchOptions(beam_size=5, max_length=40, min_length=20),
    SearchOptions(samples=3, top_k=20, max_length=20),
    SearchOptions(terms=((7, 8), (9,), (9,)), max_length=20),
    SearchOptions(terms=((5, 6, 7),), term_bias=3.0, beam_size=3, max_length=20),
]
Answers = dict[tuple[int, int], list[Hypothesis]]


@pytest.fixture(scope="module", params=MODELS)
def steppers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Stepper]:
    folder = tmp_path_factory.mktemp("bundle")
    bundle = write_tiny_bundle(folder / "bundle", MODELS[request.param](), PAIRS)
    return {precision: open_stepper(bundle, precision) for precision in ("fp32", "int8")}


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@settings(
    max_examples=3,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.generate],  # shrinking takes minutes
)
@given(data=st.data())
def test_no_neighbour_changes_a_bit(
    steppers: dict[str, Stepper], precision: str, data: st.DataObject
) -> None:
    assert_no_neighbour_changes_a_bit(steppers[precision], data)


def assert_no_neighbour_changes_a_bit(stepper: Stepper, data: st.DataObject) -> None:
    """Searches that join one after the other are answered as each of them alone."""
    jobs = data.draw(
        st.lists(
            st.tuples(st.integers(0, len(SOURCES) - 1), st.integers(0, len(CHOICES) - 1)),
            min_size=2,
            max_size=12,
            unique=True,
        )
    )
    arrivals = data.draw(st.lists(st.integers(0, 6), min_size=len(jobs), max_size=len(jobs)))
    together = run(stepper, jobs, arrivals)
    for job in jobs:
        (alone,) = run(stepper, [job], [0]).values()
        assert_same_bits(together[job], alone)


def run(stepper: Stepper, jobs: list[tuple[int, int]], arrivals: list[int]) -> Answers:
    """Answers of (source, choice), each of which joins so many steps after the one before."""
    batch = RunningBatch(stepper)
    waiting = [
        (job, Job(job, SOURCES[job[0]], CHOICES[job[1]]), wait)
        for job, wait in zip(jobs, arrivals, strict=True)
    ]
    answers: Answers = {}
    while len(answers) < len(jobs):
        while waiting and (waiting[0][2] <= 0 or not batch.sentences):
            batch.admit([waiting.pop(0)[1]])
        if waiting:
            name, job, wait = waiting[0]
            waiting[0] = name, job, wait - 1
        answers |= {one.key: one.hypotheses for one in batch.step()}  # type: ignore[misc]
    return answers


def assert_same_bits(found: list[Hypothesis], wanted: list[Hypothesis]) -> None:
    assert [one.ids for one in found] == [one.ids for one in wanted]
    for ours, theirs in zip(found, wanted, strict=True):
        assert ours.log_prob == theirs.log_prob
        assert list(ours.token_log_probs) == list(theirs.token_log_probs)
        assert ours.score == theirs.score
