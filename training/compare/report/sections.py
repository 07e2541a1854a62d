"""The order of the page: verdict, budgets, pictures, sentences, method."""

from collections.abc import Sequence
from dataclasses import dataclass

from training.compare.explain.explanations import Explanations, TestSetFindings
from training.compare.explain.extremes import ShownSentence
from training.compare.outcome import Comparison, Contrast, Summary, ViewName
from training.compare.report import result_tables as tables
from training.compare.report.attention_pictures import heat_map_picture
from training.compare.report.cost_pictures import (
    LEARNING,
    PARETO,
    learning_curves,
    quality_beside_cost,
)
from training.compare.report.headlines import headlines
from training.compare.report.length_pictures import by_data, by_joined, by_length
from training.compare.report.picture import Picture
from training.compare.report.score_pictures import differences, scores_by_seed
from training.compare.report.tables import Table
from training.compare.report.word_pictures import by_frequency, fault_picture


@dataclass(frozen=True)
class Sentences:
    """Some sentences under a heading."""

    title: str
    shown: Sequence[ShownSentence]


@dataclass(frozen=True)
class Section:
    """A part of the page; all text is plain. Facts are a list."""

    name: str
    title: str
    paragraphs: Sequence[str] = ()
    facts: Sequence[str] = ()
    looks_at_weights: bool = False
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()
    small_pictures: Sequence[Picture] = ()
    sentences: Sequence[Sentences] = ()
    folded_tables: Sequence[Table] = ()


def main_contrasts(comparison: Comparison, explanations: Explanations) -> list[Contrast]:
    """By BLEU, of the systems trained on all of the data: what the verdict is made of."""
    return [one for one in _contrasts(comparison, explanations) if one.metric == "BLEU"]


def verdict(comparison: Comparison, explanations: Explanations) -> list[str]:
    """What to read if nothing else is."""
    systems = [system.name for system in comparison.systems]
    titles = {view.name: view.title for view in comparison.views}
    return headlines(main_contrasts(comparison, explanations), systems, titles)


def sections(comparison: Comparison, explanations: Explanations) -> list[Section]:
    """All parts that there is something to say in."""
    systems = [system.name for system in comparison.systems]
    found = [
        _results(comparison, explanations),
        *(_length(one, systems) for one in explanations.test_sets),
        _joined(comparison, explanations, systems),
        _data(comparison, explanations, systems),
        _learning(comparison, explanations, systems),
        *(_cost(one, systems) for one in explanations.test_sets),
        *(_words(one, systems) for one in explanations.test_sets),
        _attention(explanations),
        *(_sentences(one) for one in explanations.test_sets),
        _method(comparison, explanations),
    ]
    return [section for section in found if section is not None]


def basis(comparison: Comparison, explanations: Explanations) -> str:
    """Which weights the sections are about that look at weights."""
    return f"{_after(comparison, explanations.view)} Training data: {explanations.data}."


def _after(comparison: Comparison, name: ViewName) -> str:
    title = next(view.title for view in comparison.views if view.name == name)
    return f"Weights after {title}."


def _summaries(comparison: Comparison, explanations: Explanations) -> list[Summary]:
    """Of sentences as they were written, after training on all of the data."""
    names = {one.test_set for one in explanations.test_sets}
    return [
        one
        for one in comparison.summaries
        if one.data == explanations.data and one.test_set in names
    ]


def _contrasts(comparison: Comparison, explanations: Explanations) -> list[Contrast]:
    names = {one.test_set for one in explanations.test_sets}
    return [
        one
        for one in comparison.contrasts
        if one.data == explanations.data and one.test_set in names
    ]


def _results(comparison: Comparison, explanations: Explanations) -> Section:
    summaries = _summaries(comparison, explanations)
    contrasts = _contrasts(comparison, explanations)
    return Section(
        "results",
        "Equal budgets",
        [
            "To train every system equally can mean to show it as many words, to give it as much "
            "time, or to let it compute as much. These are different questions with different "
            "answers, so each has its rows."
        ],
        tables=[tables.budget_views(comparison, summaries)],
        pictures=[
            scores_by_seed(comparison, [one for one in summaries if one.metric == "BLEU"]),
            differences(comparison, main_contrasts(comparison, explanations)),
        ],
        folded_tables=[
            tables.contrast_table(comparison, contrasts),
            tables.single_seed_table(contrasts),
        ],
    )


def _length(found: TestSetFindings, systems: Sequence[str]) -> Section:
    return Section(
        f"length-{found.test_set}",
        f"Long sentences ({found.test_set})",
        looks_at_weights=True,
        pictures=[by_length(found.test_set, found.length_scores, systems)],
        folded_tables=[tables.band_table(found.test_set, found.length_differences)],
    )


def _joined(
    comparison: Comparison, explanations: Explanations, systems: Sequence[str]
) -> Section | None:
    conditions = {explanations.data, *(one.name for one in comparison.data if one.joined)}
    rows = [one for one in explanations.joined if one.data in conditions]
    splits = dict.fromkeys(one.split for one in rows)
    if not splits:
        return None
    return Section(
        "joined",
        "Joined sentences",
        [_after(comparison, explanations.data_view)],
        pictures=[
            by_joined(split, [one for one in rows if one.split == split], systems)
            for split in splits
        ],
    )


def _data(
    comparison: Comparison, explanations: Explanations, systems: Sequence[str]
) -> Section | None:
    if not explanations.sizes:
        return None
    test_set = explanations.test_sets[0].test_set
    sizes = {one.name for one in comparison.data if not one.joined}
    rows = [
        one
        for one in comparison.summaries
        if one.test_set == test_set and one.data in sizes and one.view == explanations.data_view
    ]
    return Section(
        "data",
        "How much data",
        [_after(comparison, explanations.data_view)],
        pictures=[by_data(test_set, explanations.sizes, explanations.crossings, systems)],
        folded_tables=[tables.budget_views(comparison, rows)],
    )


def _learning(
    comparison: Comparison, explanations: Explanations, systems: Sequence[str]
) -> Section | None:
    runs = [run for run in comparison.runs if run.data == explanations.data]
    pictures = learning_curves(runs, systems)
    if not pictures:
        return None
    return Section(
        "learning",
        "Learning",
        [LEARNING],
        pictures=pictures,
        folded_tables=[tables.run_table(comparison.runs)],
    )


def _cost(found: TestSetFindings, systems: Sequence[str]) -> Section | None:
    if not found.pareto:
        return None
    return Section(
        f"cost-{found.test_set}",
        f"Quality beside cost ({found.test_set})",
        [PARETO],
        looks_at_weights=True,
        pictures=quality_beside_cost(found.test_set, found.pareto, systems),
    )


def _words(found: TestSetFindings, systems: Sequence[str]) -> Section:
    words = (
        [by_frequency(found.test_set, found.word_accuracy, systems)] if found.word_accuracy else []
    )
    return Section(
        f"words-{found.test_set}",
        f"Rare words and faults ({found.test_set})",
        looks_at_weights=True,
        pictures=[*words, fault_picture(found.test_set, found.faults, systems)],
        folded_tables=[tables.fault_table(found.test_set, found.faults)],
    )


def _attention(explanations: Explanations) -> Section | None:
    found = explanations.attention
    if found is None:
        return None
    aligner = (
        f" The links are compared with those of {found.aligner}, joined from both directions: its "
        "sure links are those both found, its possible ones those of grow-diag-final-and. The "
        "error rate is that of Och & Ney (2003); an aligner stands in for people here, so 0 % is "
        "not to be wished for."
        if found.aligner
        else ""
    )
    return Section(
        "attention",
        "Attention",
        [
            f"Every system was made to write the references of {found.sentences} sentences of "
            f"{found.test_set}. Entropy says how widely it looks at each step; a target word is "
            f"linked with the source word that it attends to most.{aligner}",
            "Below, each row is a word of the system's own translation and shows which source "
            "words it attended to: strong colour is much. Sentences were drawn by chance, not "
            "chosen. A Transformer's map is the mean over the heads of its last layer; its other "
            "layers look elsewhere. Attention is not an explanation by itself: a model may look at "
            "a word and not use it, or know it already from a neighbour.",
        ],
        looks_at_weights=True,
        tables=[tables.attention_table(found.scores)],
        small_pictures=[
            heat_map_picture(one)
            for one in sorted(found.heat_maps, key=lambda one: one.number)
            if one.target_words
        ],
    )


def _sentences(found: TestSetFindings) -> Section:
    groups = [
        Sentences(f"{ahead} far ahead of {behind}", shown)
        for pair in found.extremes
        for ahead, behind, shown in (
            (pair.first, pair.second, pair.ahead_first),
            (pair.second, pair.first, pair.ahead_second),
        )
        if shown
    ]
    groups += [Sentences(f"Worst of {one.system}", one.sentences) for one in found.worst]
    return Section(
        f"sentences-{found.test_set}",
        f"Sentences ({found.test_set})",
        [
            "The sentences on which two systems differ most, and those that each translates "
            "worst, by chrF2 of the sentence. Words that the reference lacks are marked. They are "
            "extremes, chosen for that: they show what kinds of errors there are, not how many."
        ],
        looks_at_weights=True,
        sentences=groups,
    )


def _method(comparison: Comparison, explanations: Explanations) -> Section:
    protocol, corpus = comparison.protocol, comparison.corpus
    penalties = ", ".join(f"{one:g}" for one in protocol.length_penalties)
    return Section(
        "method",
        "Method",
        facts=[
            f"Corpus: {corpus.name}, {corpus.source} to {corpus.target}, {corpus.licence}; "
            f"{corpus.vocab_size:,} subwords shared by all systems.",
            f"Weights: {protocol.selection}. Length penalties ({penalties}) were chosen on "
            f"{protocol.validation_sentences:,} sentences of {protocol.validation_split}; beam "
            f"{protocol.beam_size}. No test set chose anything.",
            f"Intervals are of {100 * protocol.confidence:g} %, from {protocol.samples:,} "
            f"samples of seeds and sentences (random seed {protocol.random_seed}).",
            *protocol.checks,
            *protocol.notes,
            *explanations.notes,
        ],
        tables=[tables.system_table(comparison)],
    )
