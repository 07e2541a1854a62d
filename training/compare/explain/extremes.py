"""The sentences on which two systems differ most: what a reader should look at first."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from pydantic import Field
from sacrebleu.metrics.chrf import CHRF

from mt.config import Strict
from training.compare.counts import Values
from training.compare.explain.outputs import Outputs

SHOWN = 10  # sentences for each side


class Extreme(Strict):
    """One sentence with the translations of two systems, each of the system's median seed."""

    number: int = Field(ge=1, description="line of the test set")
    better: str = Field(description="the system that is ahead on it")
    source: str
    reference: str
    translations: dict[str, str] = Field(description="by system")
    chrf: dict[str, float] = Field(description="chrF2 of this sentence by system, 0-100")
    difference: float = Field(description="of the better one less the other")


class Extremes(Strict):
    """Where each of two systems is furthest ahead, most first."""

    first: str
    second: str
    ahead_first: tuple[Extreme, ...]
    ahead_second: tuple[Extreme, ...]
    signature: str = Field(description="of chrF2")


def extremes(outputs: Outputs, seeds: dict[str, int], shown: int = SHOWN) -> tuple[Extremes, ...]:
    """Extremes of all pairs of systems; seeds: whose translations are shown, by system."""
    texts = {system: outputs.hypotheses[system][seed] for system, seed in seeds.items()}
    metric = CHRF()
    scores = {
        system: _sentence_scores(metric, of, outputs.references) for system, of in texts.items()
    }
    return tuple(
        Extremes(
            first=first,
            second=second,
            ahead_first=_ahead(outputs, texts, scores, (first, second), shown),
            ahead_second=_ahead(outputs, texts, scores, (second, first), shown),
            signature=str(metric.get_signature()),
        )
        for first, second in combinations(texts, 2)
    )


def _sentence_scores(metric: CHRF, hypotheses: Sequence[str], references: Sequence[str]) -> Values:
    """chrF2 of each sentence, 0-100."""
    pairs = zip(hypotheses, references, strict=True)
    return np.array([metric.sentence_score(text, [wanted]).score for text, wanted in pairs])


def _ahead(
    outputs: Outputs,
    texts: dict[str, Sequence[str]],
    scores: dict[str, Values],
    pair: tuple[str, str],
    shown: int,
) -> tuple[Extreme, ...]:
    """Sentences on which the pair's first system is ahead of its second, most first."""
    lead = scores[pair[0]] - scores[pair[1]]
    order = [i for i in np.argsort(-lead, kind="stable")[:shown].tolist() if lead[i] > 0]
    return tuple(
        Extreme(
            number=i + 1,
            better=pair[0],
            source=outputs.sources[i],
            reference=outputs.references[i],
            translations={system: texts[system][i] for system in texts if system in pair},
            chrf={system: float(scores[system][i]) for system in texts if system in pair},
            difference=float(lead[i]),
        )
        for i in order
    )
