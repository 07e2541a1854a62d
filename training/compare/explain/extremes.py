"""The sentences on which two systems differ most: what a reader should look at first."""

from collections.abc import Iterable, Mapping

import numpy as np
from pydantic import Field
from sacrebleu.metrics.chrf import CHRF

from mt.config import Strict
from training.compare.explain.outputs import Outputs
from training.compare.explain.pairs import shown_pairs

SHOWN = 10  # sentences for each side
WORST = 5  # sentences of each system


class ShownSentence(Strict):
    """One sentence with translations, each of its system's median seed."""

    number: int = Field(ge=1, description="line of the test set")
    source: str
    reference: str
    translations: dict[str, str] = Field(description="by system")
    chrf: dict[str, float] = Field(description="chrF2 of this sentence by system, 0-100")


class Extremes(Strict):
    """Where each of two systems is furthest ahead of the other, most first."""

    first: str
    second: str
    ahead_first: tuple[ShownSentence, ...]
    ahead_second: tuple[ShownSentence, ...]
    signature: str = Field(description="of chrF2")


class Worst(Strict):
    """The sentences that a system translates worst, beside all others' translations of them."""

    system: str
    sentences: tuple[ShownSentence, ...]
    signature: str = Field(description="of chrF2")


class Rated:
    """The translations of every system's median seed, each sentence with its chrF2."""

    def __init__(self, outputs: Outputs, seeds: Mapping[str, int]) -> None:
        """`seeds`: whose translations are shown, by system."""
        self._outputs, metric = outputs, CHRF()
        self._texts = {system: outputs.hypotheses[system][seed] for system, seed in seeds.items()}
        self._scores = {
            system: np.array(
                [
                    metric.sentence_score(text, [wanted]).score
                    for text, wanted in zip(texts, outputs.references, strict=True)
                ]
            )
            for system, texts in self._texts.items()
        }
        self._signature = str(metric.get_signature())

    def extremes(self, shown: int = SHOWN) -> tuple[Extremes, ...]:
        """Of all pairs of a few systems; of many, of each with the first."""
        return tuple(
            Extremes(
                first=first,
                second=second,
                ahead_first=self._ahead(first, second, shown),
                ahead_second=self._ahead(second, first, shown),
                signature=self._signature,
            )
            for first, second in shown_pairs(list(self._texts))
        )

    def worst(self, shown: int = WORST) -> tuple[Worst, ...]:
        """Of every system."""
        return tuple(
            Worst(
                system=system,
                sentences=tuple(
                    self._sentence(i, self._texts)
                    for i in np.argsort(scores, kind="stable")[:shown].tolist()
                ),
                signature=self._signature,
            )
            for system, scores in self._scores.items()
        )

    def _ahead(self, system: str, other: str, shown: int) -> tuple[ShownSentence, ...]:
        """Sentences on which a system is ahead of another, most first."""
        lead = self._scores[system] - self._scores[other]
        order = [i for i in np.argsort(-lead, kind="stable")[:shown].tolist() if lead[i] > 0]
        return tuple(self._sentence(i, (system, other)) for i in order)

    def _sentence(self, i: int, systems: Iterable[str]) -> ShownSentence:
        return ShownSentence(
            number=i + 1,
            source=self._outputs.sources[i],
            reference=self._outputs.references[i],
            translations={system: self._texts[system][i] for system in systems},
            chrf={system: float(self._scores[system][i]) for system in systems},
        )
