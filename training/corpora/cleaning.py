"""Cleaning: pairs that would teach nothing, or the wrong thing, are dropped and counted."""

from collections.abc import Generator, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice

from pydantic import Field

from mt.config import Strict
from training.corpora.pair import Pair
from training.corpora.scripts import Script, share_in_script
from training.corpora.seen_pairs import SeenPairs, digests
from training.corpora.splitting import side_keys

EXAMPLES = 5
CHUNK = 1 << 14  # pairs that are looked up together


class CleaningConfig(Strict):
    """What is dropped; the defaults lose about one pair in ten thousand of a careful corpus."""

    max_words: int = Field(200, ge=1, description="on either side, split at white space")
    max_chars: int = Field(2000, ge=1, description="on either side")
    max_length_ratio: float = Field(4.0, ge=1, description="characters, longer side to shorter")
    drop_copies: bool = Field(True, description="both sides are the same text")
    drop_duplicates: bool = Field(True, description="the same pair again")
    source_script: Script | None = Field(None, description="None: any")
    target_script: Script | None = Field(None, description="None: any")
    min_script_share: float = Field(0.5, gt=0, le=1, description="of a side's letters")


class Reason(StrEnum):
    """Why a pair was dropped, in the order the reasons are tried."""

    EMPTY = "empty"
    TOO_LONG = "too long"
    LENGTH_RATIO = "length ratio"
    COPIED_SOURCE = "copied source"
    WRONG_SCRIPT = "wrong script"
    HELD_OUT = "a side stands in validation or test"
    DUPLICATE = "duplicate"


@dataclass
class Dropped:
    """How many pairs a reason cost, and where the first of them stand (1 is the first pair)."""

    count: int = 0
    first: list[int] = field(default_factory=list)


@dataclass
class CleaningReport:
    """What cleaning did; holds numbers of pairs, never their text. Filled while pairs stream."""

    read: int = 0
    kept: int = 0
    dropped: dict[Reason, Dropped] = field(default_factory=lambda: {r: Dropped() for r in Reason})

    def keeps(self, reason: Reason | None) -> bool:
        """Count one more pair; whether it is kept."""
        self.read += 1
        if reason is None:
            self.kept += 1
            return True
        dropped = self.dropped[reason]
        dropped.count += 1
        if len(dropped.first) < EXAMPLES:
            dropped.first.append(self.read)
        return False

    def lines(self) -> list[str]:
        """The report for people, one line for the whole and one for each reason that applied."""
        rows = [f"read {self.read:,} pairs, kept {self.kept:,}"]
        for reason, dropped in self.dropped.items():
            if dropped.count:
                places = ", ".join(str(number) for number in dropped.first)
                more = ", ..." if dropped.count > len(dropped.first) else ""
                rows.append(f"dropped {dropped.count:,}: {reason} (pair {places}{more})")
        return rows


def clean(
    pairs: Iterable[Pair],
    config: CleaningConfig,
    report: CleaningReport | None = None,
    seen: SeenPairs | None = None,
    held_out: AbstractSet[bytes] = frozenset(),
) -> Generator[Pair, None, None]:
    """Pairs worth training on, white space at their ends removed; counts go into the report.

    A report and the pairs `seen` may come from pairs cleaned before these, to which they are then
    added. Pairs with a side in `held_out` (see `side_keys`) are dropped.

    Pairs are read some thousands ahead; of a generator that is closed, report and `seen` tell of
    those it gave out, and of those dropped before them.
    """
    report = CleaningReport() if report is None else report
    seen = SeenPairs() if seen is None else seen
    stream = iter(pairs)
    while chunk := [Pair(raw.src.strip(), raw.tgt.strip()) for raw in islice(stream, CHUNK)]:
        faults = [_fault(pair, config) or _leak(pair, held_out) for pair in chunk]
        if config.drop_duplicates:
            yield from _without_repetitions(chunk, faults, report, seen)
        else:
            for pair, fault in zip(chunk, faults, strict=True):
                if report.keeps(fault):
                    yield pair


def _without_repetitions(
    chunk: list[Pair], faults: list[Reason | None], report: CleaningReport, seen: SeenPairs
) -> Generator[Pair, None, None]:
    """Those without a fault that are new."""
    faultless = [pair for pair, fault in zip(chunk, faults, strict=True) if fault is None]
    found = digests(faultless)
    new = seen.unseen(found)
    verdicts, judged = iter(new.tolist()), 0
    try:
        for pair, fault in zip(chunk, faults, strict=True):
            if fault is None:
                fault = None if next(verdicts) else Reason.DUPLICATE
                judged += 1
            if report.keeps(fault):
                yield pair
    finally:
        seen.add(found[:judged][new[:judged]])


def _fault(pair: Pair, config: CleaningConfig) -> Reason | None:
    """What is wrong with a pair by itself."""
    if not pair.src or not pair.tgt:
        return Reason.EMPTY
    shorter, longer = sorted((len(pair.src), len(pair.tgt)))
    if longer > config.max_chars or any(_words_over(config.max_words, text) for text in pair):
        return Reason.TOO_LONG
    if longer > config.max_length_ratio * shorter:
        return Reason.LENGTH_RATIO
    if config.drop_copies and pair.src == pair.tgt:
        return Reason.COPIED_SOURCE
    scripts = (config.source_script, config.target_script)
    for text, script in zip(pair, scripts, strict=True):
        if script and share_in_script(text, script) < config.min_script_share:
            return Reason.WRONG_SCRIPT
    return None


def _words_over(most: int, text: str) -> bool:
    """So many words need as many characters and a space between each two."""
    return len(text) > 2 * most and len(text.split()) > most


def _leak(pair: Pair, held_out: AbstractSet[bytes]) -> Reason | None:
    """Whether a side stands in what must not be trained on, case and punctuation aside."""
    if held_out and not held_out.isdisjoint(side_keys(pair)):
        return Reason.HELD_OUT
    return None
