"""The slow, obvious twin of a search with terms: every sequence there is, read from the start."""

from collections.abc import Collection, Iterator, Sequence

import numpy as np

from mt.hypothesis import Hypothesis
from mt.search_options import SearchOptions
from mt.tokenizer import EOS_ID
from tests.fakes import CheckedStepper, Floats
from tests.slow_search import Tokens, exhaustive

Ids = Collection[int]


def occurrences(tokens: Tokens, term: Tokens, continuing: Ids) -> list[int]:
    """Where a term ends in a hypothesis, from left to right, none over another."""
    ends: list[int] = []
    for end in range(len(term), len(tokens) + 1):
        begin = end - len(term)
        fits = tokens[begin:end] == term and tokens[end : end + 1] not in {(i,) for i in continuing}
        if fits and begin >= (ends[-1] if ends else 0):
            ends.append(end)
    return ends


def missing(tokens: Tokens, options: SearchOptions, continuing: Ids) -> int:
    """How many ids of terms a hypothesis lacks."""
    lacks = 0
    for term in set(options.terms):
        found = len(occurrences(tokens, term, continuing))
        lacks += max(options.terms.count(term) - found, 0) * len(term)
    return lacks


def brings_on(tokens: Tokens, options: SearchOptions, continuing: Ids) -> set[int]:
    """The ids that begin a missing term, or go on with it."""
    ids: set[int] = set()
    for term in set(options.terms):
        found = occurrences(tokens, term, continuing)
        if len(found) < options.terms.count(term):
            rest = tokens[found[-1] if found else 0 :]
            ids |= {term[n] for n in range(len(term)) if rest[len(rest) - n :] == term[:n]}
    return ids


class TermModel(CheckedStepper):
    """Another model as terms change it: preferred ones raise logits, required ones hold eos back.

    It is asked for distributions only.
    """

    def __init__(self, model: CheckedStepper, options: SearchOptions, continuing: Ids) -> None:
        super().__init__(model.vocab_size)
        self._model, self._options, self._continuing = model, options, continuing

    def distribution(self, src: Sequence[int], prefix: Sequence[int]) -> Floats:
        tokens, options = tuple(prefix), self._options
        log_probs = self._model.distribution(src, prefix).astype(np.float64)
        if options.term_bias is not None:
            raised = list(brings_on(tokens, options, self._continuing))
            log_probs[raised] += options.term_bias
            log_probs -= np.log(np.exp(log_probs).sum())
        elif missing(tokens, options, self._continuing):
            log_probs[EOS_ID] = -np.inf
        return log_probs  # type: ignore[return-value]  # more exact than a model's

    def attention(self, src: Sequence[int], prefix: Sequence[int]) -> Floats | None:
        return self._model.attention(src, prefix)


def exhaustive_with_terms(
    model: CheckedStepper,
    src: Sequence[int],
    options: SearchOptions,
    max_length: int,
    continuing: Ids,
) -> list[Hypothesis]:
    """The n best of all sequences: those that lack least first, then by score."""
    everything = options.model_copy(update={"n_best": 10**9})
    found = exhaustive(TermModel(model, options, continuing), src, everything, max_length)

    def lacks(one: Hypothesis) -> int:
        ids = (*one.ids, EOS_ID) if one.finished else tuple(one.ids)
        return 0 if options.term_bias else missing(ids, options, continuing)

    return sorted(found, key=lambda one: (lacks(one), -one.score))[: options.n_best]


def every_phrase(ids: Sequence[int], longest: int) -> Iterator[Tokens]:
    """All phrases of some ids."""
    phrases: list[Tokens] = [()]
    for _ in range(longest):
        phrases = [(*phrase, one) for phrase in phrases for one in ids]
        yield from phrases
