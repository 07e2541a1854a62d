"""Sentences before the running batch: who waits, who may enter, how long the line takes."""

import itertools
import math
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import reduce
from typing import NamedTuple

from mt.beam_search import Hypothesis, Job, SearchOptions
from mt.errors import DeadlineError
from mt.stepper import Footprint
from serving.running.passage import WITNESS, Passage, Witness

NOT_COUNTED = Footprint()
Outcome = list[Hypothesis] | Exception

_keys = itertools.count()


@dataclass(eq=False)
class Sentence:
    """One sentence on its way through an engine."""

    src_ids: list[int]
    options: SearchOptions
    deadline: float
    """On the clock of `time.monotonic`; infinite where the answer may take any time."""
    longest: int = 0
    """Tokens that its longest hypothesis may have."""
    future: Future[list[Hypothesis]] = field(default_factory=Future)
    joined: float = field(default_factory=time.monotonic)
    entered: float | None = None
    """When it began to run, for the first time."""
    is_suspect: bool = False
    """Whether it ran when something failed, and is to run again by itself."""
    engine: str = ""
    witness: Witness | None = field(default_factory=WITNESS.get)
    key: int = field(default_factory=lambda: next(_keys))

    @property
    def job(self) -> Job:
        """What the search is told of it."""
        return Job(self.key, self.src_ids, self.options)

    @property
    def rows(self) -> int:
        """Rows to reserve: a search never holds more live hypotheses."""
        return self.options.rows

    def left(self, now: float) -> bool:
        """Whether nobody wants the answer any more: cancelled, or too late."""
        return now >= self.deadline or self.future.cancelled()

    def resolve(self, outcome: Outcome) -> bool:
        """Hand over the outcome, once; False where the caller had cancelled."""
        wanted = self.claim()
        if wanted:
            self.hand_over(outcome)
        return wanted

    def claim(self) -> bool:
        """Say that the outcome comes next, once; False where the caller had cancelled.

        The future stays pending until here, so that it can be cancelled while the search runs.
        """
        if self.witness is not None:
            self.witness(self._passage())
        return self.future.set_running_or_notify_cancel()

    def hand_over(self, outcome: Outcome) -> None:
        """Give the outcome to whoever waits, after `claim`."""
        if isinstance(outcome, Exception):
            self.future.set_exception(outcome)
        else:
            self.future.set_result(outcome)

    def _passage(self) -> Passage:
        left, tokens = time.monotonic(), len(self.src_ids)
        return Passage(self.engine, self.joined, self.entered, left, tokens, self.rows)


def expired() -> DeadlineError:
    """The error of a sentence whose time ran out."""
    return DeadlineError("the deadline passed before the translation was finished; try again")


@dataclass(frozen=True)
class Room:
    """What may enter a running batch: rows, source tokens, and bytes with those who run."""

    rows: int
    tokens: int = sys.maxsize
    bytes: int = sys.maxsize
    footprint: Footprint = NOT_COUNTED


class Load(NamedTuple):
    """What sentences that run together need: all their tensors are as long as the longest's."""

    sentences: int = 0
    source_tokens: int = 0
    entries: int = 0

    def beside(self, sentence: Sentence) -> "Load":
        """With one more."""
        return Load(
            self.sentences + 1,
            max(self.source_tokens, len(sentence.src_ids)),
            max(self.entries, sentence.rows * sentence.longest),
        )

    def bytes(self, footprint: Footprint) -> int:
        """The most they may come to take."""
        each = self.source_tokens * footprint.source_token + self.entries * footprint.entry
        return self.sentences * each


class WaitingLine:
    """First come, first served, as far as lengths are alike; the engine's lock guards it."""

    def __init__(self) -> None:
        self._sentences: deque[Sentence] = deque()
        self._rows = 0

    def __len__(self) -> int:
        return len(self._sentences)

    def __iter__(self) -> Iterator[Sentence]:
        return iter(self._sentences)

    @property
    def rows(self) -> int:
        """What all of them would reserve."""
        return self._rows

    def join(self, sentences: Iterable[Sentence]) -> None:
        """Stand at the end."""
        for sentence in sentences:
            self._sentences.append(sentence)
            self._rows += sentence.rows

    def take(
        self, room: Room, running: Iterable[Sentence] = (), overdue_before: float = -math.inf
    ) -> list[Sentence]:
        """Let as many leave the line as find room beside those who run.

        Tokens are those the encoder will see, padding included; so behind the oldest sentence come
        those of about its length. Nobody overtakes the oldest, nor one that joined before
        `overdue_before`: so a wide or long one cannot starve. It enters at the latest when nobody
        runs, with room or without.
        """
        taken: list[Sentence] = []
        if not self._sentences:
            return taken
        rows, longest = room.rows, 0
        load = reduce(Load.beside, running, Load())
        alone = not load.sentences
        for sentence in self._in_turn(overdue_before):
            longest = max(longest, len(sentence.src_ids))
            fits = (
                sentence.rows <= rows
                and (not taken or longest * (len(taken) + 1) <= room.tokens)
                and load.beside(sentence).bytes(room.footprint) <= room.bytes
            )
            if not fits and (taken or not alone):
                break
            taken.append(sentence)
            load = load.beside(sentence)
            rows -= sentence.rows
        self._drop(taken)
        return taken

    def _in_turn(self, overdue_before: float) -> Iterator[Sentence]:
        """The oldest, the overdue in order of age, and the others by likeness in length.

        They are sorted when the oldest has entered: at most steps it finds no room.
        """
        oldest, *others = self._sentences
        yield oldest
        length = len(oldest.src_ids)

        def turn(sentence: Sentence) -> int:
            is_overdue = sentence.joined < overdue_before
            return -1 if is_overdue else abs(len(sentence.src_ids) - length)

        yield from sorted(others, key=turn)

    def remove(self, unwanted: Callable[[Sentence], bool]) -> list[Sentence]:
        """Take out everyone who is unwanted, wherever they stand."""
        removed = [sentence for sentence in self._sentences if unwanted(sentence)]
        self._drop(removed)
        return removed

    def _drop(self, sentences: Sequence[Sentence]) -> None:
        if sentences:
            gone = set(sentences)
            self._sentences = deque(s for s in self._sentences if s not in gone)
            self._rows -= sum(sentence.rows for sentence in sentences)

    def clear(self) -> list[Sentence]:
        """Take out everyone."""
        return self.remove(lambda _: True)
