"""What holds for sampled translations, alone and in a batch that is searched beside them."""

from collections import Counter
from collections.abc import Hashable
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mt.beam_search import Hypothesis, Job, RunningBatch, SearchOptions, search
from mt.tokenizer import EOS_ID
from tests.fakes import TableStepper

quick = settings(max_examples=40, deadline=None)
LONGEST = 6
sources = st.lists(st.integers(4, 8), max_size=5).map(lambda ids: [*ids, EOS_ID])


@st.composite
def models(draw: st.DrawFn) -> TableStepper:
    return TableStepper(
        seed=draw(st.integers(0, 10_000)),
        peak=draw(st.sampled_from([0.3, 1.0, 3.0])),
        eos_bias=draw(st.sampled_from([-3.0, 0.0, 1.0])),
    )


@st.composite
def samplings(draw: st.DrawFn, /, **fixed: Any) -> SearchOptions:
    """Any options of samples of at most LONGEST tokens."""
    max_length = draw(st.integers(1, LONGEST))
    return SearchOptions(
        **{
            "samples": draw(st.integers(1, 6)),
            "seed": draw(st.integers(0, 2**32 - 1)),
            "temperature": draw(st.sampled_from([0.01, 0.5, 1.0, 3.0])),
            "top_k": draw(st.sampled_from([None, 1, 2, 5, 100])),
            "top_p": draw(st.sampled_from([0.1, 0.8, 1.0])),
            "max_length": max_length,
            "min_length": draw(st.integers(0, max_length)),
            "prefix": (4,) * draw(st.integers(0, min(2, max_length))),
            "no_repeat_ngram": draw(st.integers(0, 3)),
            "attention": draw(st.booleans()),
            "coverage_penalty": draw(st.sampled_from([0.0, 0.5])),
            **fixed,
        }
    )


@st.composite
def searches(draw: st.DrawFn) -> SearchOptions:
    beam_size = draw(st.integers(1, 5))
    n_best, ngram = draw(st.integers(1, beam_size)), draw(st.integers(0, 2))
    return SearchOptions(
        beam_size=beam_size, n_best=n_best, max_length=LONGEST, no_repeat_ngram=ngram
    )


def alone(model: TableStepper, src: list[int], asked: SearchOptions) -> list[Hypothesis]:
    return search(model, [src], asked)[0]


def facts(found: list[Hypothesis]) -> list[tuple[Any, ...]]:
    """Everything of hypotheses, to the last bit."""
    return [
        (one.ids, one.finished, one.score, one.log_prob, one.token_log_probs)
        + (() if one.attention is None else (one.attention.tolist(),))
        for one in found
    ]


@quick
@given(models(), sources, samplings())
def test_samples_are_what_was_asked_for(
    model: TableStepper, src: list[int], asked: SearchOptions
) -> None:
    found = alone(model, src, asked)
    assert len(found) == asked.samples
    for one in found:
        tokens = [*one.ids, EOS_ID][: len(one.token_log_probs)]
        given_ids = len(asked.prefix)
        assert asked.max_length
        assert len(tokens) <= asked.max_length
        assert len(tokens) >= asked.min_length or not one.finished
        assert tuple(tokens[:given_ids]) == asked.prefix
        assert one.token_log_probs == [
            0.0 if i < given_ids else float(model.distribution(src, tokens[:i])[token])
            for i, token in enumerate(tokens)
        ]
        assert one.log_prob == pytest.approx(sum(one.token_log_probs), abs=1e-12)
        if not asked.coverage_penalty:
            assert one.score == one.log_prob / asked.norm(max(len(tokens), 1))
        if asked.no_repeat_ngram:
            new = one.ids[max(0, given_ids - asked.no_repeat_ngram + 1) :]
            grams = list(zip(*(new[i:] for i in range(asked.no_repeat_ngram)), strict=False))
            assert len(set(grams)) == len(grams)


@quick
@given(models(), sources, samplings(top_k=1))
def test_the_single_best_id_is_greedy_search(
    model: TableStepper, src: list[int], asked: SearchOptions
) -> None:
    neutral = {"samples": 0, "temperature": 1.0, "top_k": None, "top_p": 1.0, "beam_size": 1}
    (greedy,) = alone(model, src, SearchOptions(**{**asked.model_dump(), **neutral}))
    assert facts(alone(model, src, asked)) == facts([greedy]) * asked.samples


@quick
@given(models(), sources, samplings(temperature=0.01, top_k=None, top_p=1.0))
def test_the_colder_the_closer_to_greedy(
    model: TableStepper, src: list[int], asked: SearchOptions
) -> None:
    """At 0.01 an id whose log-probability is 0.4 behind has a chance of e^-40."""
    for one in alone(model, src, asked.model_copy(update={"min_length": 0, "no_repeat_ngram": 0})):
        tokens = [*one.ids, EOS_ID][: len(one.token_log_probs)]
        for i in range(len(asked.prefix), len(tokens)):
            following = model.distribution(src, tokens[:i])
            assert following[tokens[i]] > following.max() - 0.4


@quick
@given(models(), sources, samplings(no_repeat_ngram=0, min_length=0))
def test_nothing_is_drawn_outside_the_cut(
    model: TableStepper, src: list[int], asked: SearchOptions
) -> None:
    for one in alone(model, src, asked):
        tokens = [*one.ids, EOS_ID][: len(one.token_log_probs)]
        for i in range(len(asked.prefix), len(tokens)):
            assert expected(model, src, tokens[:i], asked)[tokens[i]] > 0


def expected(
    model: TableStepper, src: list[int], prefix: list[int], asked: SearchOptions
) -> dict[int, float]:
    """What the papers say that the next id's distribution is, id by id."""
    log_probs = model.distribution(src, prefix).astype(np.float64)
    ranked = np.argsort(-log_probs, kind="stable")[: asked.top_k].tolist()
    weights = {i: float(np.exp(log_probs[i] / asked.temperature)) for i in ranked}
    total, nucleus, mass = sum(weights.values()), [], 0.0
    for i in ranked:
        if mass < (asked.top_p - 1e-9) * total:
            nucleus.append(i)
            mass += weights[i]
    return {i: weights[i] / mass if i in nucleus else 0.0 for i in range(len(log_probs))}


@quick
@given(
    models(),
    st.lists(
        st.tuples(sources, st.one_of(samplings(), searches()), st.integers(0, LONGEST)),
        min_size=2,
        max_size=8,
    ),
    st.dictionaries(st.integers(0, LONGEST), st.sets(st.integers(0, 7)), max_size=3),
)
def test_who_joins_and_leaves_changes_no_draw(
    model: TableStepper,
    asked: list[tuple[list[int], SearchOptions, int]],
    leaving: dict[int, set[Hashable]],
) -> None:
    batch, answers = RunningBatch(model), dict[Hashable, list[Hypothesis]]()
    for step in range(3 * LONGEST):
        newcomers = [(i, src, how) for i, (src, how, when) in enumerate(asked) if when == step]
        batch.admit([Job(*one) for one in newcomers])
        batch.cancel(leaving.get(step, ()))
        assert batch.rows <= sum(how.rows for _, how, when in asked if when <= step)
        answers |= {one.key: one.hypotheses for one in batch.step()}
    assert not batch.sentences
    gone = set().union(*leaving.values())
    assert answers.keys() >= set(range(len(asked))) - gone
    for key, found in answers.items():
        src, how, _ = asked[int(str(key))]
        assert facts(found) == facts(alone(model, src, how))


@quick
@given(models(), sources, samplings(samples=3))
def test_more_samples_and_room_leave_the_first_ones_alone(
    model: TableStepper, src: list[int], asked: SearchOptions
) -> None:
    more = asked.model_copy(update={"samples": 7})
    assert facts(alone(model, src, more)[:3]) == facts(alone(model, src, asked))
    if asked.min_length == 0:
        longer = alone(model, src, asked.model_copy(update={"max_length": LONGEST + 3}))
        for short, long in zip(alone(model, src, asked), longer, strict=True):
            assert long.ids[: len(short.ids)] == short.ids


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"temperature": 0.5},
        {"temperature": 2.0},
        {"top_k": 3},
        {"top_p": 0.6},
        {"temperature": 1.5, "top_k": 4, "top_p": 0.9},
    ],
    ids=str,
)
def test_frequencies_are_those_of_the_tempered_cut_model(how: dict[str, Any]) -> None:
    """Pearson's chi-squared of whole translations of two tokens, over many seeds."""
    model, src, draws = TableStepper(seed=4, vocab_size=8), [4, 5, EOS_ID], 6400
    counts: Counter[tuple[int, ...]] = Counter()
    for seed in range(draws // 64):
        asked = SearchOptions(samples=64, seed=seed, max_length=2, **how)
        for one in alone(model, src, asked):
            counts[*one.ids, *([EOS_ID] if one.finished else [])] += 1
    share = chances(model, src, asked)
    assert counts.keys() <= {tokens for tokens, chance in share.items() if chance > 0}
    often = [tokens for tokens, chance in share.items() if chance * draws >= 5]
    rare = draws - sum(counts[tokens] for tokens in often)
    cells = [(counts[tokens], share[tokens] * draws) for tokens in often]
    if (rare_expected := draws - sum(wanted for _, wanted in cells)) >= 5:
        cells.append((rare, rare_expected))
    chi_squared = sum((found - wanted) ** 2 / wanted for found, wanted in cells)
    freedom = len(cells) - 1
    assert chi_squared < freedom + 3.1 * np.sqrt(2 * freedom) + 5  # about one in a thousand


def chances(
    model: TableStepper, src: list[int], asked: SearchOptions
) -> dict[tuple[int, ...], float]:
    """The probability of every translation of at most two tokens."""
    first = expected(model, src, [], asked)
    found: dict[tuple[int, ...], float] = {(EOS_ID,): first[EOS_ID]}
    for one, two in product(first, first):
        if one != EOS_ID and first[one] > 0:
            found[one, two] = first[one] * expected(model, src, [one], asked)[two]
    return found


def test_sentences_of_one_seed_draw_independently() -> None:
    """A flat model has one distribution everywhere: only the numbers can differ."""

    class Flat(TableStepper):
        def _random(self, *key: object) -> np.random.Generator:
            return np.random.default_rng(0)

    model, asked = Flat(seed=0, eos_bias=-99.0), SearchOptions(samples=64, max_length=4)
    one, other = (alone(model, [word, EOS_ID], asked) for word in (4, 5))
    equal = sum(a.ids == b.ids for a, b in zip(one, other, strict=True))
    assert equal < 16
