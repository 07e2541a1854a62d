"""The length penalty that translates validation best, found by trying a few.

Every penalty is decoded for itself. Rescoring one n-best list would cost a fifth, but it is another
search: a row dies once no length can make it win, which hangs on the penalty, and the places it
frees go to other hypotheses, so each penalty has candidates of its own.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mt.bundle import Score
from mt.errors import ConfigError
from mt.search_options import SearchOptions
from training.corpora.pair import Pair
from training.evaluate import evaluate
from training.system import System

PENALTIES = (0.6, 0.8, 1.0, 1.2, 1.4)
NEUTRAL = 1.0


@dataclass(frozen=True)
class TunedPenalty:
    """BLEU of each length penalty on the same sentences, in the order tried."""

    scores: dict[float, Score]
    sentences: int

    @property
    def best(self) -> float:
        """The penalty of the highest BLEU; of equals to two decimals the one nearest to 1."""
        return max(self.scores, key=lambda a: (round(self.scores[a].value, 2), -abs(a - NEUTRAL)))

    def lines(self) -> list[str]:
        """For people: one line a penalty, the best one marked."""
        first = next(iter(self.scores.values()))
        head = f"length penalty on {first.test_set}, {self.sentences:,} sentences"
        rows = [
            f"  {alpha:<12g}{score.value:6.2f}{'  best' if alpha == self.best else ''}"
            for alpha, score in self.scores.items()
        ]
        return [head, *rows, f"  {first.signature}"]

    def values(self) -> dict[str, Any]:
        """For programs: the choice and what it was made from."""
        return {
            "best": self.best,
            "sentences": self.sentences,
            "grid": [
                {"length_penalty": alpha, **score.model_dump(mode="json")}
                for alpha, score in self.scores.items()
            ],
        }


def tune_length_penalty(
    system: System,
    pairs: Iterable[Pair],
    test_set: str,
    options: SearchOptions | None = None,
    penalties: Sequence[float] = PENALTIES,
    on_finished: Callable[[int], None] | None = None,
) -> TunedPenalty:
    """Translate pairs, which must be no test set, once with each length penalty.

    `options` say the rest of the search. `on_finished` is told of sentences as they are done, those
    of every penalty.

    Raises:
        ConfigError: there are no penalties to try, or the search is greedy.
        CorpusError: there are no pairs.
    """
    options, listed = options or SearchOptions(), list(pairs)
    if not penalties:
        raise ConfigError("there is no length penalty to try")
    if options.beam_size == 1:
        raise ConfigError(
            "a length penalty changes nothing in greedy search; tune it with a wider beam"
        )
    scores = {}
    for alpha in penalties:
        chosen = options.model_copy(update={"length_penalty": alpha})
        evaluated = evaluate(
            system.stepper,
            system.tokenizer,
            listed,
            test_set,
            chosen,
            system.max_rows,
            on_finished=on_finished,
        )
        scores[alpha] = evaluated.bleu.model_copy(update={"precision": system.precision})
    return TunedPenalty(scores, len(listed))
