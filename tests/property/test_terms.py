"""Searches with terms, on small random models: all of them, and against every sequence there is."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mt.beam_search import Hypothesis, Job, RunningBatch, SearchOptions
from mt.tokenizer import EOS_ID
from tests.fakes import TableStepper
from tests.property.test_beam_search import models, options, same, sources
from tests.slow_terms import exhaustive_with_terms, missing

quick = settings(max_examples=30, deadline=None)
LONGEST = 7
WHOLE_WORDS: frozenset[int] = frozenset()


def terms(highest: int, most: int = 3) -> st.SearchStrategy[tuple[tuple[int, ...], ...]]:
    """Short terms of few ids, so that they overlap, repeat and begin alike."""
    term = st.lists(st.integers(4, highest), min_size=1, max_size=3).map(tuple)
    return st.lists(term, min_size=1, max_size=most).map(tuple)


@st.composite
def with_terms(draw: st.DrawFn, /, highest: int, **fixed: Any) -> SearchOptions:
    """Any options of a search, and terms."""
    asked = draw(options(**fixed))
    bias = draw(st.sampled_from([None, None, 0.5, 4.0]))
    return SearchOptions.model_validate(
        asked.model_dump() | {"terms": draw(terms(highest)), "term_bias": bias}
    )


def find(
    model: TableStepper, jobs: list[Job], continuing: frozenset[int]
) -> dict[Any, list[Hypothesis]]:
    mask = np.isin(np.arange(model.vocab_size), list(continuing))
    batch = RunningBatch(model, continuing=mask)
    answers: dict[Any, list[Hypothesis]] = {}
    for job in [*jobs, None]:
        if job is not None:
            batch.admit([job])
        while batch.sentences and (job is None or batch.sentences >= 8):
            answers |= {one.key: one.hypotheses for one in batch.step()}
        answers |= {one.key: one.hypotheses for one in batch.step()}
    return answers


@quick
@given(
    models(vocab_size=6, ties=False),
    sources,
    with_terms(highest=5, beam_size=64, max_length=5),
    st.sampled_from([WHOLE_WORDS, frozenset({5})]),
)
def test_a_wide_beam_equals_exhaustive_search(
    model: TableStepper, src: list[int], asked: SearchOptions, continuing: frozenset[int]
) -> None:
    found = find(model, [Job(0, src, asked)], continuing)[0]
    expected = exhaustive_with_terms(model, src, asked, 5, continuing)
    assert [(one.ids, one.finished) for one in found] == [
        (one.ids, one.finished) for one in expected
    ]
    for one, other in zip(found, expected, strict=True):
        assert one.score == pytest.approx(other.score, rel=1e-6, abs=1e-6)
        assert one.token_log_probs == pytest.approx(other.token_log_probs, rel=1e-6, abs=1e-6)


@quick
@given(
    models(),
    sources,
    terms(highest=8),
    st.sampled_from([1, 2, 3, 5, 8]),
    st.sampled_from([WHOLE_WORDS, frozenset({5, 7})]),
    st.data(),
)
def test_required_terms_are_there_where_they_fit(
    model: TableStepper,
    src: list[int],
    required: tuple[tuple[int, ...], ...],
    beam_size: int,
    continuing: frozenset[int],
    data: st.DataObject,
) -> None:
    vocab_size = model.vocab_size
    required = tuple(tuple(min(i, vocab_size - 1) for i in term) for term in required)
    fitting = sum(map(len, required)) + 1
    n_best = data.draw(st.integers(1, beam_size))
    asked = SearchOptions(
        terms=required, beam_size=beam_size, n_best=n_best, max_length=fitting + 5
    )
    found = find(model, [Job(0, src, asked)], continuing)[0]
    for one in found:
        ids = (*one.ids, EOS_ID) if one.finished else tuple(one.ids)
        assert not one.finished or not missing(ids, asked, continuing)
    if not continuing:  # else a term may have to wait for the end of a word
        assert not missing(tuple(found[0].ids), asked, continuing)


@settings(quick, max_examples=8)
@given(
    models(vocab_size=9),
    st.lists(
        st.tuples(sources, st.one_of(options(), with_terms(highest=8))), min_size=2, max_size=12
    ),
    st.sampled_from([WHOLE_WORDS, frozenset({5, 7})]),
)
def test_no_neighbour_changes_an_answer(
    model: TableStepper,
    asked: list[tuple[list[int], SearchOptions]],
    continuing: frozenset[int],
) -> None:
    jobs = [Job(i, src, chosen) for i, (src, chosen) in enumerate(asked)]
    together = find(model, jobs, continuing)
    for job in jobs:
        alone = find(model, [job], continuing)[job.key]
        same(together[job.key], alone, exactly=True)


@quick
@given(models(), sources, options())
def test_terms_of_a_neighbour_change_no_bit(
    model: TableStepper, src: list[int], asked: SearchOptions
) -> None:
    neighbour = SearchOptions(terms=((4, 4), (4,)), beam_size=3, max_length=6)
    alone = find(model, [Job(0, src, asked)], WHOLE_WORDS)[0]
    beside = find(model, [Job(0, src, asked), Job(1, src, neighbour)], WHOLE_WORDS)[0]
    same(beside, alone, exactly=True)
