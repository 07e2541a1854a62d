"""What holds for every search, on small random models whose every prefix has its own future."""

import random
from collections.abc import Hashable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mt.beam_search import Hypothesis, Job, RunningBatch, SearchOptions, search
from mt.tokenizer import EOS_ID
from tests.fakes import TableStepper
from tests.slow_search import exhaustive, greedy, plain_beam_search

quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.data_too_large])
LONGEST = 7


@st.composite
def models(draw: st.DrawFn, /, vocab_size: int | None = None, ties: bool = True) -> TableStepper:
    """From nearly uniform to peaked, from endless to brief, with and without ties."""
    return TableStepper(
        seed=draw(st.integers(0, 10_000)),
        vocab_size=vocab_size or draw(st.integers(5, 9)),
        peak=draw(st.sampled_from([0.3, 1.0, 3.0])),
        eos_bias=draw(st.sampled_from([-3.0, 0.0, 1.0])),
        levels=draw(st.sampled_from([None, 1])) if ties else None,
    )


@st.composite
def options(draw: st.DrawFn, /, **fixed: Any) -> SearchOptions:
    """Any options of a search of at most LONGEST tokens over the smallest vocabulary."""
    max_length = fixed.get("max_length") or draw(st.integers(1, LONGEST))
    beam_size = fixed.get("beam_size") or draw(st.sampled_from([1, 2, 3, 5, 8]))
    return SearchOptions(
        **{
            "max_length": max_length,
            "beam_size": beam_size,
            "n_best": draw(st.integers(1, beam_size)),
            "length_norm": draw(st.sampled_from(["wu", "average"])),
            "length_penalty": draw(st.sampled_from([0.0, 0.6, 1.0, 2.0])),
            "coverage_penalty": draw(st.sampled_from([0.0, 0.0, 0.5])),
            "min_length": draw(st.integers(0, max_length)),
            "prefix": (4,) * draw(st.integers(0, min(2, max_length))),
            "no_repeat_ngram": draw(st.integers(0, 3)),
            "early_stopping": draw(st.sampled_from([None, None, 0, 2])),
            "attention": draw(st.booleans()),
            **fixed,
        }
    )


sources = st.lists(st.integers(4, 8), max_size=5).map(lambda ids: [*ids, EOS_ID])


def same(found: list[Hypothesis], expected: list[Hypothesis], exactly: bool = False) -> None:
    """Equal hypotheses in equal order; scores to rounding, or to the last bit."""
    assert [(one.ids, one.finished) for one in found] == [
        (one.ids, one.finished) for one in expected
    ]
    close = 0.0 if exactly else 1e-12
    for one, other in zip(found, expected, strict=True):
        assert one.score == pytest.approx(other.score, rel=close, abs=close)
        assert one.log_prob == pytest.approx(other.log_prob, rel=close, abs=close)
        assert one.token_log_probs == other.token_log_probs
        if other.attention is None:
            assert one.attention is None
        else:
            np.testing.assert_array_equal(one.attention, other.attention)


@quick
@given(
    models(vocab_size=6, ties=False),
    sources,
    options(beam_size=64, max_length=5, early_stopping=None),
)
def test_a_wide_beam_equals_exhaustive_search(
    model: TableStepper, src: list[int], asked: SearchOptions
) -> None:
    (found,) = search(model, [src], asked)
    same(found, exhaustive(model, src, asked, max_length=5))


@quick
@given(models(), sources, options(beam_size=1))
def test_a_beam_of_one_is_greedy(model: TableStepper, src: list[int], asked: SearchOptions) -> None:
    ((found,),) = search(model, [src], asked)
    assert asked.max_length
    expected = greedy(model, src, asked, asked.max_length)
    assert (*found.ids, EOS_ID)[: len(found.ids) + found.finished] == expected


@settings(quick, max_examples=100)
@given(models(), sources, options())
def test_the_answer_is_that_of_the_plain_search(
    model: TableStepper, src: list[int], asked: SearchOptions
) -> None:
    (found,) = search(model, [src], asked)
    assert asked.max_length
    same(found, plain_beam_search(model, src, asked, asked.max_length))


@quick
@given(models(), sources, options())
def test_hypotheses_are_what_was_asked_for(
    model: TableStepper, src: list[int], asked: SearchOptions
) -> None:
    (found,) = search(model, [src], asked)
    assert 1 <= len(found) <= asked.n_best
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert len({(tuple(one.ids), one.finished) for one in found}) == len(found)
    for one in found:
        check_hypothesis(one, src, asked)


def check_hypothesis(one: Hypothesis, src: list[int], asked: SearchOptions) -> None:
    length = len(one.ids) + one.finished
    assert asked.max_length
    assert length <= asked.max_length
    assert length >= asked.min_length or not one.finished
    assert tuple(one.ids[: len(asked.prefix)]) == asked.prefix
    assert one.token_log_probs[: len(asked.prefix)] == [0.0] * len(asked.prefix)
    assert len(one.token_log_probs) == length
    assert sum(one.token_log_probs) == pytest.approx(one.log_prob, abs=1e-12)
    assert set(one.ids).isdisjoint({0, 1, 2, EOS_ID})
    if asked.coverage_penalty == 0:
        assert one.score == one.log_prob / asked.norm(max(length, 1))
    if asked.attention:
        assert one.attention is not None
        assert one.attention.shape == (length, len(src))
    if asked.no_repeat_ngram:
        new = one.ids[max(0, len(asked.prefix) - asked.no_repeat_ngram + 1) :]
        grams = list(zip(*(new[i:] for i in range(asked.no_repeat_ngram)), strict=False))
        assert len(set(grams)) == len(grams)


@settings(quick, max_examples=4)
@given(models(), st.lists(st.tuples(sources, options()), min_size=64, max_size=64), st.randoms())
def test_a_sentence_is_the_same_alone_and_in_a_batch_of_64_in_any_order(
    model: TableStepper, asked: list[tuple[list[int], SearchOptions]], order: random.Random
) -> None:
    jobs = [Job(i, src, chosen) for i, (src, chosen) in enumerate(asked)]
    order.shuffle(jobs)
    together = run(model, {0: jobs}, {})
    for i, (src, chosen) in enumerate(asked):
        same(together[i], search(model, [src], chosen)[0], exactly=True)


@quick
@given(
    models(),
    st.lists(st.tuples(sources, options(), st.integers(0, LONGEST)), min_size=2, max_size=8),
    st.dictionaries(st.integers(0, LONGEST), st.sets(st.integers(0, 7)), max_size=3),
)
def test_who_joins_and_leaves_on_the_way_changes_nothing(
    model: TableStepper,
    asked: list[tuple[list[int], SearchOptions, int]],
    leaving: dict[int, set[Hashable]],
) -> None:
    joining: dict[int, list[Job]] = {}
    for i, (src, chosen, when) in enumerate(asked):
        joining.setdefault(when, []).append(Job(i, src, chosen))
    together = run(model, joining, leaving)
    gone = set().union(*leaving.values()) if leaving else set()
    assert together.keys() >= set(range(len(asked))) - gone
    for i, (src, chosen, _) in enumerate(asked):
        if i not in together:
            continue
        same(together[i], search(model, [src], chosen)[0], exactly=True)


def run(
    model: TableStepper, joining: dict[int, list[Job]], leaving: dict[int, set[Hashable]]
) -> dict[Hashable, list[Hypothesis]]:
    """Step a batch while jobs join, and keys leave, at given steps."""
    batch = RunningBatch(model)
    answers: dict[Hashable, list[Hypothesis]] = {}
    step = 0
    while batch.sentences or step <= max(joining):
        batch.admit(joining.get(step, []))
        batch.cancel(leaving.get(step, ()))
        assert batch.sentences == len(model.running)
        assert batch.rows >= batch.sentences
        for one in batch.step():
            assert one.key not in answers
            answers[one.key] = one.hypotheses
        step += 1
    assert batch.rows == 0
    assert not model.running
    return answers


@quick
@given(models(), st.lists(sources, max_size=12), options(), st.integers(1, 20))
def test_a_search_of_many_equals_one_at_a_time(
    model: TableStepper, many: list[list[int]], asked: SearchOptions, max_rows: int
) -> None:
    found = search(model, many, asked, max_rows=max_rows)
    assert model.most_rows <= max(max_rows, asked.beam_size)
    for src, hypotheses in zip(many, found, strict=True):
        same(hypotheses, search(model, [src], asked)[0], exactly=True)
