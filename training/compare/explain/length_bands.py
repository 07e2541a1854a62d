"""BLEU by the length of the source: who falls behind on long sentences?

Cho et al. 2014, "On the properties of neural machine translation", Figure 4a, and Bahdanau et al.
2015, Figure 2, asked so first; here each band has an interval.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt
from pydantic import Field

from mt.config import Strict
from mt.errors import ConfigError
from training.compare.counts import Table, count
from training.compare.explain.outputs import Outputs
from training.compare.explain.words import source_length
from training.compare.outcome import Estimate
from training.compare.statistics import RANDOM_SEED, Resampled, mean_of_seeds, two_level

Lengths = npt.NDArray[np.int64]
Tables = dict[str, list[Table]]  # by system, one for each seed

_ONE_BAND = re.compile(r"(\d+)(?:-(\d+)|(\+))?")
_LONG = 30  # words; beyond, captions' narrow bands would leave all the long ones in one


class Band(Strict):
    """Sources of so many words, both ends included; `most` is null where there is no upper end."""

    fewest: int = Field(ge=1)
    most: int | None

    @property
    def name(self) -> str:
        """As it is written: `9-11`, `16+`."""
        if self.most is None:
            return f"{self.fewest}+"
        return f"{self.fewest}-{self.most}" if self.most > self.fewest else f"{self.fewest}"

    def holds(self, length: int) -> bool:
        """Whether a source of so many words belongs here."""
        return self.fewest <= length and (self.most is None or length <= self.most)


class BandScore(Strict):
    """BLEU of a system on the sentences of a band, mean over seeds."""

    system: str
    band: str
    sentences: int
    mean_length: float = Field(description="words of a source")
    bleu: Estimate


class BandDifference(Strict):
    """BLEU of the second system less that of the first on the sentences of a band."""

    first: str
    second: str
    band: str
    sentences: int
    difference: Estimate


def parse_bands(text: str) -> tuple[Band, ...]:
    """Bands as people write them: `1-8,9-11,12-15,16+`.

    Raises:
        ConfigError: that is no list of bands that rise.
    """
    found = [_ONE_BAND.fullmatch(part.strip()) for part in text.split(",")]
    numbers = [(int(m[1]), None if m[3] else int(m[2] or m[1])) for m in found if m]
    ends = [float("inf") if most is None else most for _, most in numbers]
    rising = all(end < fewest for end, (fewest, _) in zip(ends[:-1], numbers[1:], strict=True))
    whole = all(1 <= fewest <= end for (fewest, _), end in zip(numbers, ends, strict=True))
    if not all(found) or not rising or not whole:
        raise ConfigError(f"length bands {text}: write rising ones, such as 1-8,9-11,12-15,16+")
    return tuple(Band(fewest=fewest, most=most) for fewest, most in numbers)


CAPTIONS = parse_bands("1-8,9-11,12-15,16+")
TENS = parse_bands("1-10,11-20,21-30,31-40,41-50,51-60,61+")


def bands_for(sources: Sequence[str]) -> tuple[Band, ...]:
    """Bands that suit a test set: narrow ones for captions, tens where one in twenty is long."""
    return CAPTIONS if np.percentile(_lengths(sources), 95) <= _LONG else TENS


def bleu_by_length(
    outputs: Outputs, bands: Sequence[Band], samples: int, random_seed: int = RANDOM_SEED
) -> tuple[tuple[BandScore, ...], tuple[BandDifference, ...]]:
    """Scores of every system in every band that holds sentences, and all pairs' differences."""
    lengths = _lengths(outputs.sources)
    tables = {
        system: [count("BLEU", texts, outputs.references) for texts in seeds.values()]
        for system, seeds in outputs.hypotheses.items()
    }
    scores: list[BandScore] = []
    differences: list[BandDifference] = []
    for band in bands:
        at = np.array([i for i, length in enumerate(lengths) if band.holds(length)], dtype=int)
        if len(at):
            resampled = Resampled.draw(len(at), samples, random_seed)
            chosen = {system: [table[at] for table in of] for system, of in tables.items()}
            scores += _scores(band, lengths[at], chosen, resampled)
            differences += _differences(band, len(at), chosen, resampled)
    return tuple(scores), tuple(differences)


def _lengths(sources: Sequence[str]) -> Lengths:
    return np.array([source_length(text) for text in sources])


def _scores(
    band: Band, lengths: Lengths, tables: Tables, resampled: Resampled
) -> Iterator[BandScore]:
    for system, of_seeds in tables.items():
        yield BandScore(
            system=system,
            band=band.name,
            sentences=len(lengths),
            mean_length=float(lengths.mean()),
            bleu=mean_of_seeds("BLEU", of_seeds, resampled),
        )


def _differences(
    band: Band, sentences: int, tables: Tables, resampled: Resampled
) -> Iterator[BandDifference]:
    for first, second in combinations(tables, 2):
        found = two_level("BLEU", tables[first], tables[second], resampled)
        yield BandDifference(
            first=first,
            second=second,
            band=band.name,
            sentences=sentences,
            difference=found.estimate,
        )
