"""Alignments of a test set: its sources with the references, and with every translation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from training.compare.explain.aligner import align
from training.compare.explain.faults import REFERENCES
from training.compare.explain.links import Alignment, Links
from training.compare.explain.material import TrainingText
from training.compare.explain.outputs import Outputs


@dataclass(frozen=True)
class AlignedOutputs:
    """Alignments of each sentence: of the references, and of translations by system and seed."""

    references: Sequence[Alignment]
    hypotheses: Mapping[str, Sequence[Sequence[Alignment]]]

    def possible_links(self) -> dict[str, list[list[Links]]]:
        """Links by system, one list of sentences for each seed; those of the references too."""
        everyone = {**self.hypotheses, REFERENCES: [self.references]}
        return {
            system: [[sentence.grown for sentence in of_seed] for of_seed in of_seeds]
            for system, of_seeds in everyone.items()
        }


def align_outputs(outputs: Outputs, text: TrainingText) -> AlignedOutputs:
    """Align all of it at once, beside training pairs: more text makes better alignments.

    Raises:
        ConfigError, EngineError: see `align`.
    """
    translations = [texts for seeds in outputs.hypotheses.values() for texts in seeds.values()]
    targets = [*text.first_targets, *outputs.references]
    for texts in translations:
        targets += texts
    sources = [*text.first_sources, *list(outputs.sources) * (1 + len(translations))]
    found = align(sources, targets)[len(text.first_sources) :]
    size = len(outputs.sources)
    parts = iter([found[start : start + size] for start in range(0, len(found), size)])
    references = next(parts)
    by_system = {
        system: [next(parts) for _ in seeds] for system, seeds in outputs.hypotheses.items()
    }
    return AlignedOutputs(references, by_system)
