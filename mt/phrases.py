"""Phrases to be found in growing hypotheses: many phrases, many hypotheses, one id at a time.

The Shift-And automaton (Baeza-Yates and Gonnet 1992, section 3). Every id of every phrase of a
sentence has a bit, phrase after phrase. A set bit says that the hypothesis ends with its phrase up
to there, so reading an id is a shift and an `and`: no trie, no failure links, and phrases that
overlap or begin alike need no care.

A phrase counts once the word that ends it has ended: *Haus* is not in *Hausboot*. So a match waits
for the next id, and is void if that one goes on with the word. A phrase that is given twice must
come twice: the second copy may begin when the first is complete.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mt.stepper import Ids
from mt.tokenizer import PAD_ID

MOST_IDS = 62  # of all phrases of a sentence together; a bit each in an int64
Mask = npt.NDArray[np.bool_]


class Progress(NamedTuple):
    """How far hypotheses are, arrays of one shape.

    matched: the bits that their last ids match; met: all bits of the phrases that they hold.
    """

    matched: Ids
    met: Ids


class Phrases:
    """The phrases of several sentences; a hypothesis names its sentence by number."""

    def __init__(self, sentences: Sequence[Sequence[Sequence[int]]], continuing: Mask) -> None:
        """sentences: the phrases of each, MOST_IDS ids at most.

        continuing (vocab,): True at ids that go on with the word before them.
        """
        self._continuing = continuing
        longest = max((sum(map(len, phrases)) for phrases in sentences), default=0)
        self._ids = np.full((len(sentences), longest), -1)
        self._depths = np.zeros((len(sentences), longest), np.int64)  # place in its phrase, from 1
        self._first, self._again, self._ends = np.zeros((3, len(sentences)), np.int64)
        self._bits = 1 << np.arange(longest)
        for number, phrases in enumerate(sentences):
            self._note(number, sorted(map(tuple, phrases)))
        self.ids = (self._ids >= 0).sum(axis=1)
        self._most = int(self._depths.max(initial=0))

    def _note(self, number: int, phrases: Sequence[tuple[int, ...]]) -> None:
        """Lay out one sentence's phrases; copies of a phrase stand together."""
        at, before = 0, None
        for phrase in phrases:
            end = at + len(phrase)
            self._ids[number, at:end] = phrase
            self._depths[number, at:end] = range(1, len(phrase) + 1)
            (self._again if phrase == before else self._first)[number] |= 1 << at
            self._ends[number] |= 1 << (end - 1)
            at, before = end, phrase

    def read(self, sentence: Ids, progress: Progress, ids: Ids) -> Progress:
        """Where hypotheses stand after one more id each; the arrays are broadcast."""
        met = np.where(self._continuing[ids], progress.met, self.held(sentence, progress))
        here = (self._ids[sentence] == ids[..., None]) @ self._bits
        return Progress(self._open(sentence, progress, met) & here, met)

    def held(self, sentence: Ids, progress: Progress) -> Ids:
        """All bits of the phrases that hypotheses hold, if their last word ends here."""
        whole = progress.matched & self._ends[sentence]
        starts = self._first[sentence] | self._again[sentence]
        for _ in range(self._most - 1):
            whole = whole | (whole & ~starts) >> 1
        held: Ids = progress.met | whole
        return held

    def missing(self, sentence: Ids, progress: Progress) -> Ids:
        """How many ids of the phrases are not held, if the last word ends here."""
        missing: Ids = self.ids[sentence] - np.bitwise_count(self.held(sentence, progress))
        return missing

    def reached(self, sentence: Ids, progress: Progress) -> Ids:
        """How many ids of the phrases are held, those of one that is under way included."""
        held = self.held(sentence, progress)
        under_way = (progress.matched & ~held)[..., None] & self._bits > 0
        depth = np.where(under_way, self._depths[sentence], 0).max(axis=-1, initial=0)
        reached: Ids = np.bitwise_count(held) + depth
        return reached

    def wanted(self, sentence: Ids, progress: Progress) -> Ids:
        """The ids that would bring each hypothesis (n,) on: (n, most), none twice, pad behind them.

        They begin a phrase that is missing, or go on with it.
        """
        is_open = self._open(sentence, progress, self.held(sentence, progress))
        ids = np.where(is_open[:, None] & self._bits > 0, self._ids[sentence], PAD_ID)
        ids = np.sort(ids, axis=1)
        ids[:, 1:][ids[:, 1:] == ids[:, :-1]] = PAD_ID
        ids = np.sort(ids, axis=1)[:, ::-1]
        return ids[:, : (ids != PAD_ID).sum(axis=1).max(initial=1)]

    def _open(self, sentence: Ids, progress: Progress, met: Ids) -> Ids:
        """The bits that the next id may match: none of what is met."""
        under_way = progress.matched & ~self._ends[sentence]
        again = met << 1 & self._again[sentence]
        is_open: Ids = (under_way << 1 | self._first[sentence] | again) & ~met
        return is_open
