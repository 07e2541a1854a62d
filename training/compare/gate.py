"""The gate before deployment: is the new system not worse than the one that serves?

Non-inferiority, not superiority: the lower bound of the one-sided 95 % interval of the difference
must lie above minus the margin. That B is not shown to be worse is not enough: a small test set
shows nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mt.config import Strict
from mt.errors import ConfigError
from mt.search_options import SearchOptions
from training.compare.counts import count
from training.compare.statistics import CONFIDENCE, Resampled, two_level
from training.corpora.pair import Pair
from training.evaluate import bleu, translate_sentences
from training.scoring import evenly, first_test_set
from training.system import System, open_system


class Side(Strict):
    """One of the two systems."""

    name: str
    weights_sha256: str
    precision: str
    bleu: float


@dataclass(frozen=True)
class Gate:
    """How the two are asked: split of the first one's corpus [its first test set], search, size of
    the bootstrap, and at most so many sentences.
    """

    margin: float
    split: str | None = None
    options: SearchOptions = field(default_factory=SearchOptions)
    samples: int = 1000
    sentences: int | None = None
    threads: int = 1


class Promotion(Strict):
    """What was found: BLEU of the second less the first, and the least it may be."""

    first: Side
    second: Side
    test_set: str
    sentences: int
    signature: str
    margin: float
    difference: float
    lower_bound: float
    confidence: float
    samples: int
    promoted: bool

    def line(self) -> str:
        """For people."""
        found = (
            f"{self.difference:+.2f} BLEU on {self.test_set} ({self.first.bleu:.2f} to "
            f"{self.second.bleu:.2f}), with {self.confidence:.0%} confidence above "
            f"{self.lower_bound:+.2f}"
        )
        if self.promoted:
            return f"promote {self.second.name}: it is not worse by {self.margin:g} BLEU: {found}"
        return (
            f"do not promote {self.second.name}: it may be worse than {self.first.name} by "
            f"{self.margin:g} BLEU or more: {found}"
        )


def promote(first: Path, second: Path, gate: Gate) -> Promotion:
    """Compare two runs, checkpoints or bundles on the same sentences.

    Raises:
        BundleError, CheckpointError: one cannot be opened.
        ConfigError: they translate different languages.
        CorpusError: the test set cannot be had.
    """
    systems = [open_system(path, threads=gate.threads) for path in (first, second)]
    _check_languages(systems)
    test_set, pairs = _pairs(systems[0], gate)
    references = [pair.tgt for pair in pairs]
    outputs = [_translate(system, pairs, gate.options) for system in systems]
    difference, bound = decide(outputs[0], outputs[1], references, gate.samples)
    scores = [bleu(output, references, test_set) for output in outputs]
    sides = [
        Side(
            name=str(path),
            weights_sha256=system.sha256,
            precision=system.precision,
            bleu=score.value,
        )
        for path, system, score in zip((first, second), systems, scores, strict=True)
    ]
    return Promotion(
        first=sides[0],
        second=sides[1],
        test_set=test_set,
        sentences=len(pairs),
        signature=scores[0].signature,
        margin=gate.margin,
        difference=difference,
        lower_bound=bound,
        confidence=CONFIDENCE,
        samples=gate.samples,
        promoted=bound > -gate.margin,
    )


def decide(
    first: Sequence[str], second: Sequence[str], references: Sequence[str], samples: int
) -> tuple[float, float]:
    """BLEU of the second output less the first, and what it surely exceeds (paired bootstrap)."""
    tables = [[count("BLEU", output, references)] for output in (first, second)]
    found = two_level("BLEU", tables[0], tables[1], Resampled.draw(len(references), samples))
    return found.value, found.lower_bound()


def _pairs(system: System, gate: Gate) -> tuple[str, list[Pair]]:
    corpus = system.open_corpus()
    split = gate.split or first_test_set(corpus)
    pairs = evenly(list(corpus.pairs(split)), gate.sentences)
    if not pairs:
        raise ConfigError(f"{corpus.name}: {split} holds no sentences")
    return f"{corpus.name}:{corpus.source}-{corpus.target}:{split}", pairs


def _translate(system: System, pairs: list[Pair], options: SearchOptions) -> list[str]:
    sources = [pair.src for pair in pairs]
    return translate_sentences(system.stepper, system.tokenizer, sources, options, system.max_rows)


def _check_languages(systems: list[System]) -> None:
    first, second = (f"{s.recipe.corpus.source}-{s.recipe.corpus.target}" for s in systems)
    if first != second:
        raise ConfigError(f"the first translates {first}, the second {second}; nothing to compare")
