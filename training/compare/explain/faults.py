"""Faults that BLEU hides: loops, translations cut short or padded, source words left out.

A share alone says little, since good translations repeat and leave out words too; where a fault can
be looked for in the references themselves, theirs stands beside as `(references)`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from mt.config import Strict
from training.compare.counts import Table, Values
from training.compare.explain.bootstrap import mean_ratio
from training.compare.explain.links import Links
from training.compare.explain.outputs import Outputs
from training.compare.explain.words import plain_words
from training.compare.outcome import Estimate
from training.compare.statistics import Resampled

Fault = Literal["repetition", "too short", "too long", "source words left out"]
REFERENCES = "(references)"
LONGEST_REPEAT = 4  # words
TOO_SHORT, TOO_LONG = 0.7, 1.4  # words of the translation over words of the reference
FREQUENT = 100  # source words that training has most often: articles, prepositions, signs

FAULTS: dict[Fault, str] = {
    "repetition": f"share of sentences that say one to {LONGEST_REPEAT} words twice in a row",
    "too short": f"share of sentences with less than {TOO_SHORT:g} times the reference's words",
    "too long": f"share of sentences with more than {TOO_LONG:g} times the reference's words",
    "source words left out": f"share of source words, the {FREQUENT} most frequent and signs not "
    "counted, that no word of the translation is aligned with",
}
"""What each fault counts, for people."""


class FaultRate(Strict):
    """How often a system makes a fault, 0-1, mean over seeds."""

    system: str
    fault: Fault
    rate: Estimate
    counted: int = Field(description="sentences, or source words, that it is a share of")


def repeats(text: str) -> bool:
    """Whether one to four words stand twice in a row: `a man in a man in`; signs do not count."""
    words = [word for word in plain_words(text) if word[0].isalnum()]
    return any(
        words[start : start + size] == words[start + size : start + 2 * size]
        for size in range(1, LONGEST_REPEAT + 1)
        for start in range(len(words) - 2 * size + 1)
    )


def fault_rates(outputs: Outputs, resampled: Resampled) -> tuple[FaultRate, ...]:
    """Repetition and wrong lengths of every system, and the repetition of the references."""
    lengths = _word_counts(outputs.references)
    tests: dict[Fault, Callable[[Sequence[str]], Iterable[bool]]] = {
        "repetition": lambda texts: map(repeats, texts),
        "too short": lambda texts: _word_counts(texts) < TOO_SHORT * lengths,
        "too long": lambda texts: _word_counts(texts) > TOO_LONG * lengths,
    }
    systems = {
        **{system: list(seeds.values()) for system, seeds in outputs.hypotheses.items()},
        REFERENCES: [outputs.references],
    }
    return tuple(
        _rate(system, fault, [_shares(test(texts)) for texts in of_seeds], resampled)
        for fault, test in tests.items()
        for system, of_seeds in systems.items()
        if fault == "repetition" or system != REFERENCES
    )


def content_words(sources: Iterable[str], frequencies: Mapping[str, int]) -> list[list[int]]:
    """Places of the words of each source that are no sign and not among the most frequent ones.

    frequencies: of lower-cased words in training's source side (`count_words`).
    """
    frequent = {word for word, _ in Counter(frequencies).most_common(FREQUENT)}
    return [
        [
            place
            for place, word in enumerate(plain_words(source))
            if word[0].isalnum() and word not in frequent
        ]
        for source in sources
    ]


def omission_rates(
    content: Sequence[Sequence[int]],
    links: Mapping[str, Sequence[Sequence[Links]]],
    resampled: Resampled,
) -> tuple[FaultRate, ...]:
    """Source words left out by every system, and by the references if `links` has theirs.

    content: places of source words that count (`content_words`); links: between source words and
    those of the translation, by system, one list of sentences for each seed.
    """
    fault: Fault = "source words left out"
    return tuple(
        _rate(system, fault, [_unlinked(content, of_seed) for of_seed in of_seeds], resampled)
        for system, of_seeds in links.items()
    )


def _rate(system: str, fault: Fault, tables: list[Table], resampled: Resampled) -> FaultRate:
    return FaultRate(
        system=system,
        fault=fault,
        rate=mean_ratio(tables, resampled),
        counted=int(tables[0][:, 1].sum()),
    )


def _shares(faulty: Iterable[bool]) -> Table:
    """(sentences, 2): whether it has the fault, and one."""
    return np.array([[float(one), 1.0] for one in faulty])


def _word_counts(texts: Sequence[str]) -> Values:
    return np.array([float(len(plain_words(text))) for text in texts])


def _unlinked(content: Sequence[Sequence[int]], links: Sequence[Links]) -> Table:
    """(sentences, 2): content words without a link, and all of them."""
    return np.array(
        [
            [len(set(places) - {source for source, _ in of_sentence}), len(places)]
            for places, of_sentence in zip(content, links, strict=True)
        ],
        dtype=np.float64,
    )
