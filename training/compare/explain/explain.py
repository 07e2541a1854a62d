"""Look at a finished comparison in every way there is; what cannot be looked at is noted."""

from collections.abc import Sequence
from pathlib import Path

from mt.errors import ConfigError, CorpusError, EngineError
from training.compare.explain.aligned_outputs import AlignedOutputs, align_outputs
from training.compare.explain.attention_findings import LookedAt, attention_findings
from training.compare.explain.data_size import crossings, size_scores
from training.compare.explain.explanations import (
    Explanations,
    TestSetFindings,
    checksum,
    read_explanations,
    write_explanations,
)
from training.compare.explain.extremes import Rated
from training.compare.explain.faults import (
    FaultRate,
    content_words,
    fault_rates,
    omission_rates,
)
from training.compare.explain.joined import joined_scores
from training.compare.explain.length_bands import Band, bands_for, bleu_by_length
from training.compare.explain.material import Material, TrainingText, read_training_text
from training.compare.explain.outputs import Outputs
from training.compare.explain.pareto import pareto
from training.compare.explain.word_frequency import word_accuracy
from training.compare.explain.words import source_length
from training.compare.outcome import Comparison, TestSet
from training.compare.statistics import Resampled
from training.console import say


def explanations_of(comparison: Comparison, folder: Path) -> Explanations:
    """Those kept beside the comparison, made first if there are none of this very comparison.

    Raises:
        ConfigError: a file of translations is missing or damaged.
        CheckpointError: they cannot be written.
    """
    kept = read_explanations(folder, comparison)
    if kept is not None:
        return kept
    made = explain(comparison, folder)
    write_explanations(folder, made)
    return made


def explain(
    comparison: Comparison, folder: Path, bands: Sequence[Band] | None = None
) -> Explanations:
    """Every analysis of a comparison whose files are in `folder`.

    bands: of source lengths; None: those that suit each test set.

    Raises:
        ConfigError: a file of translations is missing or damaged.
    """
    notes: list[str] = []
    material = Material.of(comparison, folder)
    text = _training_text(comparison, notes)
    first = material.test_sets[0]
    outputs = {one.name: material.outputs(one) for one in material.test_sets}
    aligned = _aligned(outputs[first.name], text, notes)
    say(f"explaining {comparison.name}: test sets")
    test_sets = [
        _findings(material, one, outputs[one.name], text, bands, aligned if one is first else None)
        for one in material.test_sets
    ]
    say(f"explaining {comparison.name}: attention")
    looked_at = LookedAt(
        material, first, outputs[first.name], aligned.references if aligned else None
    )
    sizes = _sizes(comparison, text)
    place = (comparison, material.data_view, first.name, sizes)
    return Explanations(
        comparison_sha256=checksum(comparison),
        view=material.view,
        data=material.data,
        data_view=material.data_view,
        test_sets=tuple(test_sets),
        attention=attention_findings(looked_at, notes),
        joined=joined_scores(comparison, material.data_view, _mean_lengths(material)),
        sizes=size_scores(*place) if len(sizes) > 1 else (),
        crossings=crossings(*place),
        notes=tuple(notes),
    )


def _findings(
    material: Material,
    test_set: TestSet,
    outputs: Outputs,
    text: TrainingText | None,
    bands: Sequence[Band] | None,
    aligned: AlignedOutputs | None,
) -> TestSetFindings:
    """What the translations of one test set show."""
    protocol = material.comparison.protocol
    resampled = Resampled.draw(test_set.sentences, protocol.samples, protocol.random_seed)
    scores, differences = bleu_by_length(
        *(outputs, bands or bands_for(outputs.sources), protocol.samples, protocol.random_seed)
    )
    rated = Rated(outputs, material.median_seeds(test_set))
    omissions: tuple[FaultRate, ...] = ()
    if aligned is not None and text is not None:
        content = content_words(outputs.sources, text.source_words)
        omissions = omission_rates(content, aligned.possible_links(), resampled)
    return TestSetFindings(
        test_set=test_set.name,
        sentences=test_set.sentences,
        length_scores=scores,
        length_differences=differences,
        word_accuracy=word_accuracy(outputs, text.target_words, resampled) if text else (),
        faults=(*fault_rates(outputs, resampled), *omissions),
        extremes=rated.extremes(),
        worst=rated.worst(),
        pareto=pareto(material.comparison, material.view, material.data, test_set.name),
    )


def _training_text(comparison: Comparison, notes: list[str]) -> TrainingText | None:
    say(f"explaining {comparison.name}: words of {comparison.corpus.name}")
    try:
        return read_training_text(comparison)
    except (ConfigError, CorpusError) as error:
        notes.append(f"The training text was not at hand, so no word was counted in it: {error}.")
        return None


def _aligned(
    outputs: Outputs, text: TrainingText | None, notes: list[str]
) -> AlignedOutputs | None:
    if text is None:
        return None
    say("aligning words")
    try:
        return align_outputs(outputs, text)
    except (ConfigError, EngineError) as error:
        notes.append(f"Words were not aligned: {error}.")
        return None


def _mean_lengths(material: Material) -> dict[str, float]:
    """Mean words of a source, by test set."""
    found = {}
    for test_set in material.comparison.test_sets:
        lengths = [source_length(text) for text in material.sources(test_set)]
        found[test_set.name] = sum(lengths) / len(lengths)
    return found


def _sizes(comparison: Comparison, text: TrainingText | None) -> dict[str, int]:
    """Training pairs of each data condition that differs in nothing else."""
    whole = text.pairs if text else None
    sizes = {one.name: one.train_pairs or whole for one in comparison.data if not one.joined}
    return {name: pairs for name, pairs in sizes.items() if pairs}
