"""What the analyses are made from: a comparison's texts, and the text its systems learnt from."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mt.config import validate
from mt.errors import ConfigError
from training.compare.explain.outputs import Outputs
from training.compare.explain.words import plain_words
from training.compare.outcome import Comparison, TestSet, ViewName
from training.corpora.corpus import CorpusConfig, open_corpus

ALIGNED_PAIRS = 50_000  # training pairs that the aligner learns from, at most


@dataclass(frozen=True)
class Material:
    """A comparison, its folder, and the runs that are looked at: one view, one amount of data."""

    comparison: Comparison
    folder: Path
    view: ViewName
    data: str

    @classmethod
    def of(cls, comparison: Comparison, folder: Path) -> "Material":
        """The first view, and the systems trained on all of the data as it is."""
        whole = [one for one in comparison.data if one.train_pairs is None and not one.joined]
        data = (whole or comparison.data)[0].name
        return cls(comparison, folder, comparison.views[0].name, data)

    @property
    def data_view(self) -> ViewName:
        """The first view in which systems were trained on most amounts of data."""
        trained = {(one.view, one.data) for one in self.comparison.summaries}
        views = [one.name for one in self.comparison.views]
        return max(views, key=lambda name: sum(view == name for view, _ in trained))

    @property
    def test_sets(self) -> list[TestSet]:
        """Those whose sentences stand as they were written."""
        return [one for one in self.comparison.test_sets if one.joined == 1]

    def sources(self, test_set: TestSet) -> list[str]:
        """Its source sentences."""
        return read_lines(self.folder / test_set.sources, test_set.sentences)

    def outputs(self, test_set: TestSet) -> Outputs:
        """Its sentences and all translations of them.

        Raises:
            ConfigError: a file is missing, or is not as long as the comparison says.
        """
        place = (self.view, self.data, test_set.name)
        hypotheses: dict[str, dict[int, list[str]]] = {}
        for result in self.comparison.results:
            if (result.view, result.data, result.test_set) == place:
                lines = read_lines(self.folder / result.hypotheses, test_set.sentences)
                hypotheses.setdefault(result.system, {})[result.seed] = lines
        references = read_lines(self.folder / test_set.references, test_set.sentences)
        return Outputs(self.sources(test_set), references, hypotheses)

    def median_seeds(self, test_set: TestSet) -> dict[str, int]:
        """The seed of each system whose BLEU is the median."""
        place = (self.view, self.data, test_set.name, "BLEU")
        return {
            one.system: one.median_seed
            for one in self.comparison.summaries
            if (one.view, one.data, one.test_set, one.metric) == place
        }

    def checkpoint(self, system: str, seed: int) -> Path:
        """The weights of a system and seed."""
        place = (system, seed, self.data, self.view)
        points = self.comparison.points
        return self.folder / next(
            one.checkpoint for one in points if (one.system, one.seed, one.data, one.view) == place
        )


@dataclass(frozen=True)
class TrainingText:
    """What the systems learnt from: how often each word is in it, and its first pairs."""

    pairs: int
    source_words: Counter[str]
    target_words: Counter[str]
    first_sources: Sequence[str]
    first_targets: Sequence[str]


def read_training_text(comparison: Comparison) -> TrainingText:
    """Read the training pairs of the comparison's first system.

    Raises:
        ConfigError, CorpusError: the corpus cannot be had.
    """
    settings = comparison.systems[0].settings
    corpus = open_corpus(validate(settings["corpus"], CorpusConfig, where="corpus"))
    text = TrainingText(0, Counter(), Counter(), sources := [], targets := [])
    pairs = 0
    for pairs, pair in enumerate(corpus.train_pairs(), start=1):
        text.source_words.update(plain_words(pair.src))
        text.target_words.update(plain_words(pair.tgt))
        if pairs <= ALIGNED_PAIRS:
            sources.append(pair.src)
            targets.append(pair.tgt)
    return TrainingText(pairs, text.source_words, text.target_words, sources, targets)


def read_lines(path: Path, expected: int) -> list[str]:
    """The lines of a text file.

    Raises:
        ConfigError: it cannot be read, or has another number of lines.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({type(error).__name__})") from None
    lines = lines[:-1] if lines[-1] == "" else lines
    if len(lines) != expected:
        raise ConfigError(f"{path} has {len(lines)} lines, the comparison counts {expected}")
    return lines
