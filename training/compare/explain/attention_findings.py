"""Attention of the systems of a comparison: how spread, how right, and pictures of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from mt.errors import BundleError, CheckpointError
from mt.stepper import Attention
from training.compare.explain.aligner import aligner_name
from training.compare.explain.attention import (
    AttentionScore,
    HeatMap,
    Weights,
    agreement,
    attention_score,
    between_words,
    heat_map,
    strongest_links,
)
from training.compare.explain.explanations import AttentionFindings
from training.compare.explain.forced_attention import forced_attention
from training.compare.explain.links import Alignment
from training.compare.explain.material import Material
from training.compare.explain.outputs import Outputs
from training.compare.explain.words import source_length
from training.compare.outcome import TestSet
from training.compare.statistics import Resampled
from training.system import System, open_system

SENTENCES = 500  # that attention is measured on, spread over the test set
LONGEST = 100  # words of a source or reference
PICTURED = 4  # sentences that are shown
PICTURED_WORDS = (7, 16)  # words of their sources


@dataclass(frozen=True)
class LookedAt:
    """A test set whose attention is looked at; alignments are those of its references."""

    material: Material
    test_set: TestSet
    outputs: Outputs
    alignments: Sequence[Alignment] | None

    def model(self, system: str, seed: int) -> System:
        """The weights of a system and seed, opened."""
        threads = self.material.comparison.protocol.threads
        return open_system(self.material.checkpoint(system, seed), threads=threads)


def attention_findings(looked_at: LookedAt, notes: list[str]) -> AttentionFindings | None:
    """What the weights of all systems show; None if no system has attention.

    notes: told what could not be looked at, and why.
    """
    measured = _measured(looked_at.outputs)
    scores: list[AttentionScore] = []
    heat_maps: list[HeatMap] = []
    for system in looked_at.outputs.systems:
        try:
            score = _score(looked_at, system, measured)
            if score is None:
                notes.append(f"{system} has no attention to look at.")
                continue
            scores.append(score)
            heat_maps += _heat_maps(looked_at, system)
        except (BundleError, CheckpointError):  # its message may name folders of a machine
            notes.append(f"The attention of {system} was not looked at: its weights are not here.")
    if not scores:
        return None
    return AttentionFindings(
        test_set=looked_at.test_set.name,
        sentences=len(measured),
        aligner=aligner_name() if looked_at.alignments else None,
        scores=tuple(scores),
        heat_maps=tuple(heat_maps),
    )


def pictured(sources: Sequence[str], random_seed: int) -> list[int]:
    """A few sentences that fit on a page, chosen by chance and not by hand."""
    fewest, most = PICTURED_WORDS
    fitting = [i for i, text in enumerate(sources) if fewest <= source_length(text) <= most]
    return sorted(Random(random_seed).sample(fitting, min(PICTURED, len(fitting))))  # nosec B311 # no secret


def _measured(outputs: Outputs) -> list[int]:
    """Sentences that attention is measured on: not empty, not huge, spread over all of them."""
    lengths = [
        (source_length(source), source_length(reference))
        for source, reference in zip(outputs.sources, outputs.references, strict=True)
    ]
    fitting = [i for i, both in enumerate(lengths) if min(both) > 0 and max(both) <= LONGEST]
    count = min(SENTENCES, len(fitting))
    return [fitting[i * len(fitting) // count] for i in range(count)]


def _score(looked_at: LookedAt, system: str, measured: list[int]) -> AttentionScore | None:
    """One system's figures over its seeds; None if it has no attention."""
    some = looked_at.outputs.only(measured)
    attentions, links = [], []
    for seed in looked_at.outputs.hypotheses[system]:
        model = looked_at.model(system, seed)
        of_seed = forced_attention(model, some.sources, some.references)
        if of_seed is None:
            return None
        attentions.append(of_seed)
        texts = zip(of_seed, some.sources, some.references, strict=True)
        links.append([strongest_links(_words(model, *one)) for one in texts])
    protocol = looked_at.material.comparison.protocol
    resampled = Resampled.draw(len(measured), protocol.samples, protocol.random_seed)
    score = attention_score(system, attentions, resampled)
    if looked_at.alignments is None:
        return score
    wanted = [looked_at.alignments[i] for i in measured]
    return score.model_copy(update={"agreement": agreement(links, wanted, resampled)})


def _heat_maps(looked_at: LookedAt, system: str) -> list[HeatMap]:
    """Pictures of a system that writes its own translations, of its median seed."""
    outputs = looked_at.outputs
    shown = pictured(outputs.sources, looked_at.material.comparison.protocol.random_seed)
    seed = looked_at.material.median_seeds(looked_at.test_set)[system]
    texts = outputs.hypotheses[system][seed]
    shown = [i for i in shown if texts[i].strip()]
    model = looked_at.model(system, seed)
    some = [(outputs.sources[i], texts[i]) for i in shown]
    attentions = forced_attention(model, *map(list, zip(*some, strict=True))) if some else []
    return [
        heat_map(system, i + 1, *pair, _words(model, attention, *pair))
        for i, pair, attention in zip(shown, some, attentions or [], strict=True)
    ]


def _words(model: System, attention: Attention, source: str, target: str) -> Weights:
    spans = [model.tokenizer.encode_with_spans(text)[1] for text in (source, target)]
    return between_words(attention, source, spans[0], target, spans[1])
