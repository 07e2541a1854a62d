"""Score a system on a test set of its own corpus, with a bar, and say so in lines or values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mt.bundle import Score
from mt.errors import ConfigError
from mt.search_options import SearchOptions
from training.console import Progress
from training.corpora.corpus import Corpus
from training.corpora.pair import Pair
from training.evaluate import Evaluated, evaluate
from training.length_penalty import PENALTIES, TunedPenalty
from training.length_penalty import tune_length_penalty as tune
from training.recipe import Recipe
from training.system import System


@dataclass(frozen=True)
class Scored:
    """What a system reached on one test set, and how it was searched."""

    system: System
    split: str
    options: SearchOptions
    evaluated: Evaluated
    tuned: TunedPenalty | None = None

    @property
    def scores(self) -> list[Score]:
        """The scores, each told which graphs or weights made it."""
        precision = self.system.precision
        scores = self.evaluated.scores
        return [score.model_copy(update={"precision": precision}) for score in scores]

    def lines(self) -> list[str]:
        """For people: one line a score."""
        search = f"beam {self.options.beam_size}, length penalty {self.options.length_penalty:g}"
        head = (
            f"{self.system.name} ({self.system.precision}) on {self.scores[0].test_set}, {search}"
        )
        rows = [f"  {s.metric:<12}{s.value:6.2f}  {s.signature}" for s in self.scores]
        return [*(self.tuned.lines() if self.tuned else []), head, *rows]

    def values(self) -> dict[str, Any]:
        """For programs: scores, search and weights' checksum."""
        return {
            "name": self.system.name,
            "precision": self.system.precision,
            "weights_sha256": self.system.sha256,
            "test_set": self.scores[0].test_set,
            "sentences": len(self.evaluated.sources),
            "search": self.options.model_dump(mode="json", exclude_defaults=False),
            "scores": [score.model_dump(mode="json") for score in self.scores],
            **({"members_sha256": list(self.system.members)} if self.system.members else {}),
            **({"tuned_length_penalty": self.tuned.values()} if self.tuned else {}),
        }


def score_system(
    system: System,
    split: str | None = None,
    options: SearchOptions | None = None,
    sentences: int | None = None,
    lowercase: bool = False,
    tune_length_penalty: bool = False,
) -> Scored:
    """Translate one split of the system's corpus and score it; None: its first test set.

    sentences: score no more than so many of them; tune_length_penalty: choose it first, on the
    split that the recipe validates on.

    Raises:
        ConfigError: the corpus has no test set, or the penalty would be tuned on what is scored.
        CorpusError: it has no such split, or cannot be had.
    """
    corpus = system.open_corpus()
    chosen, options, tuned = split or first_test_set(corpus), options or SearchOptions(), None
    if tune_length_penalty:
        tuned = _tuned(system, corpus, chosen, options, sentences)
        options = options.model_copy(update={"length_penalty": tuned.best})
    pairs, test_set = _pairs_of(corpus, chosen, sentences)
    with Progress(f"translating {chosen}") as bar:
        language = corpus.target if lowercase else None
        evaluated = evaluate(
            system.stepper,
            system.tokenizer,
            pairs,
            test_set,
            options,
            system.max_rows,
            lowercased_language=language,
            on_finished=bar.counter(len(pairs)),
        )
    return Scored(system, chosen, options, evaluated, tuned)


def _tuned(
    system: System, corpus: Corpus, scored: str, options: SearchOptions, sentences: int | None
) -> TunedPenalty:
    """The length penalty that is best on validation."""
    refuse_flattery(system.recipe, scored)
    split = system.recipe.evaluation.split
    pairs, test_set = _pairs_of(corpus, split, sentences)
    with Progress(f"tuning on {split}") as bar:
        told = bar.counter(len(pairs) * len(PENALTIES))
        return tune(system, pairs, test_set, options, on_finished=told)


def refuse_flattery(recipe: Recipe, split: str | None) -> None:
    """Refuse to tune the length penalty on the split that is scored; None: the first test set.

    Raises:
        ConfigError: it is the split that the recipe validates on.
    """
    if split == recipe.evaluation.split:
        raise ConfigError(
            f"the length penalty is tuned on {split}, so a score on {split} would flatter; "
            "name a test set with --split"
        )


def _pairs_of(corpus: Corpus, split: str, sentences: int | None) -> tuple[list[Pair], str]:
    """Pairs of a split that are scored, and the name that scores give them."""
    pairs = evenly(list(corpus.pairs(split)), sentences)
    return pairs, f"{corpus.name}:{corpus.source}-{corpus.target}:{split}"


def evenly(pairs: Sequence[Pair], count: int | None) -> list[Pair]:
    """At most `count` pairs, spread over all of them: a test set may be sorted by length."""
    if count is None or count >= len(pairs):
        return list(pairs)
    return [pairs[i * len(pairs) // count] for i in range(count)]


def first_test_set(corpus: Corpus) -> str:
    """The split that is scored where none is named.

    Raises:
        ConfigError: the corpus has no test set.
    """
    for split in corpus.splits:
        if split.startswith("test"):
            return split
    raise ConfigError(f"{corpus.name} has no test set; name a split with --split")
