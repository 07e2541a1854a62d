"""Tables of results, systems and runs: the figures behind every sentence and picture."""

from collections.abc import Iterable, Sequence

from training.compare.explain.attention import AttentionScore
from training.compare.explain.faults import FAULTS, FaultRate
from training.compare.explain.length_bands import BandDifference
from training.compare.outcome import Comparison, Contrast, Metric, Result, Run, Summary
from training.compare.report.numbers import (
    difference,
    estimate,
    number,
    p_value,
    percent,
    scaled,
    signed,
)
from training.compare.report.tables import Cell, Table, word


def budget_views(comparison: Comparison, summaries: Sequence[Summary]) -> Table:
    """Scores of every system in every view: the table that a reader should see first."""
    places = dict.fromkeys((one.test_set, one.view, one.data, one.system) for one in summaries)
    found = {(one.test_set, one.view, one.data, one.system, one.metric): one for one in summaries}
    metrics: list[Metric] = [
        metric for metric in _METRICS if any(one.metric == metric for one in summaries)
    ]
    titles = {view.name: view.title for view in comparison.views}
    several = len({one.data for one in summaries}) > 1
    test_sets = list(dict.fromkeys(one.test_set for one in summaries))
    seeds = sorted({len(one.seeds) for one in summaries})
    rows: list[list[Cell]] = []
    for place in places:
        test_set, view, data, system = place
        main = found[(*place, "BLEU")]
        row = [word(test_set)] if len(test_sets) > 1 else []
        row += [(titles[view], view)]
        row += [word(data)] if several else []
        row += [word(system)]
        row += [
            (estimate(one.mean), one.mean.value) for one in (found[(*place, m)] for m in metrics)
        ]
        spread = "one seed" if main.sd is None else number(main.sd, 2)
        row += [(spread, main.sd or 0.0)]
        row += [(f"{number(main.least)} to {number(main.greatest)}", main.least)]
        rows.append(row)
    headings = (
        *(["Test set"] if len(test_sets) > 1 else []),
        *("Equal budget", *(["Training data"] if several else []), "System"),
        *(f"{metric} (95 %)" for metric in metrics),
        *("Deviation of seeds", "Seeds' BLEU"),
    )
    return Table(
        name="scores-by-data" if several else "scores",
        caption=f"Mean scores of {'/'.join(map(str, seeds))} seed{'' if seeds == [1] else 's'} on "
        f"{', '.join(test_sets)}"
        f"{' by training data' if several else ''}, with intervals for other seeds and sentences",
        headings=headings,
        rows=rows,
        numeric=frozenset(range(headings.index("System") + 1, len(headings))),
        note="Signatures: "
        + "; ".join(f"{name}: {text}" for name, text in signatures(comparison.results).items())
        + ". TER counts errors: less is better.",
    )


_METRICS: tuple[Metric, ...] = ("BLEU", "chrF2", "TER")


def signatures(results: Iterable[Result]) -> dict[str, str]:
    """SacreBLEU's signature of each metric."""
    return {score.metric: score.signature for result in results for score in result.scores}


def contrast_table(comparison: Comparison, contrasts: Sequence[Contrast]) -> Table:
    """Differences with their tests."""
    titles = {view.name: view.title for view in comparison.views}
    rows = [
        [
            word(one.test_set),
            (titles[one.view], one.view),
            word(one.data),
            word(f"{one.second} less {one.first}"),
            word(one.metric),
            (difference(one.difference), one.difference.value),
            (p_value(one.p), one.p),
            (p_value(one.p_holm), one.p_holm),
            (difference(one.hedges_g), one.hedges_g.value) if one.hedges_g else ("one seed", 0.0),
            (percent(one.superiority), one.superiority.value),
            word(_named(one)),
        ]
        for one in contrasts
    ]
    return Table(
        name="differences",
        caption="Differences of systems, with what chance explains taken into account",
        headings=(
            *("Test set", "Equal budget", "Training data", "Systems", "Metric"),
            *("Difference (95 %)", "p", "p, corrected", "Hedges' g"),
            *("Sentences won", "Better"),
        ),
        rows=rows,
        numeric=frozenset(range(5, 10)),
        note=f"Intervals and p resample seeds, then sentences "
        f"({comparison.protocol.samples:,} times). Corrected: {comparison.protocol.correction}. "
        "Hedges' g: the difference in deviations between seeds. Sentences won: how many the "
        "second of the two translates better by chrF2, ties half.",
    )


def _named(contrast: Contrast) -> str:
    names = {"first": contrast.first, "second": contrast.second, "neither": "neither"}
    return names[contrast.better]


def single_seed_table(contrasts: Sequence[Contrast]) -> Table:
    """SacreBLEU's own paired tests, as other papers report them."""
    rows = [
        [
            word(one.test_set),
            word(one.view),
            word(
                f"{one.second}, seed {test.second_seed}, less {one.first}, seed {test.first_seed}"
            ),
            word(one.metric),
            word(test.method),
            (signed(test.difference, 2), test.difference),
            (p_value(test.p), test.p),
            (p_value(test.p_holm), test.p_holm),
        ]
        for one in contrasts
        for test in one.single_seed
    ]
    texts = dict.fromkeys(test.signature for one in contrasts for test in one.single_seed)
    return Table(
        name="paired-tests",
        caption="sacreBLEU's paired tests of each system's median seed",
        headings=(
            *("Test set", "View", "Systems", "Metric", "Test"),
            *("Difference", "p", "p, corrected"),
        ),
        rows=rows,
        numeric=frozenset((5, 6, 7)),
        note="These know one seed of each system, so they say less than the table above. "
        f"Signatures: {'; '.join(texts)}.",
    )


def system_table(comparison: Comparison) -> Table:
    """What was compared."""
    rows = [
        [
            word(one.name),
            word(one.recipe),
            word(one.family),
            (f"{one.parameters:,}", one.parameters),
            (f"{one.embedding_parameters:,}", one.embedding_parameters),
            (scaled(one.flops_per_target_token), one.flops_per_target_token),
            (f"{one.tuning.trials} trials", one.tuning.trials) if one.tuning else ("none", 0),
            word(one.unmatched or "matched"),
        ]
        for one in comparison.systems
    ]
    return Table(
        name="systems",
        caption="The systems",
        headings=(
            *("System", "Recipe", "Family", "Parameters", "of these in embeddings"),
            *("FLOPs a target token", "Tuning", "Size"),
        ),
        rows=rows,
        numeric=frozenset((3, 4, 5, 6)),
    )


def run_table(runs: Sequence[Run]) -> Table:
    """What every training cost."""
    rows = [
        [
            word(run.system),
            (str(run.seed), run.seed),
            word(run.data),
            (f"{run.updates:,}", run.updates),
            (number(run.epochs), run.epochs),
            (scaled(run.target_tokens), run.target_tokens),
            (number(run.processor_minutes), run.processor_minutes),
            (scaled(run.flops), run.flops),
            (number(run.target_tokens_per_processor_s, 0), run.target_tokens_per_processor_s),
            (
                number(run.peak_memory_mib, 0) if run.peak_memory_mib else "not measured",
                run.peak_memory_mib,
            ),
            (f"{scaled(run.energy.joules)} ({run.energy.method})", run.energy.joules),
        ]
        for run in runs
    ]
    return Table(
        name="runs",
        caption="What every training cost",
        headings=(
            *("System", "Seed", "Training data", "Updates", "Epochs", "Target tokens"),
            *("Processor minutes", "FLOPs", "Target tokens a processor second", "Memory, MiB"),
            "Energy, J",
        ),
        rows=rows,
        numeric=frozenset((1, *range(3, 11))),
    )


def band_table(test_set: str, found: Sequence[BandDifference]) -> Table:
    """Differences by length."""
    rows = [
        [
            (one.band, int(one.band.partition("-")[0].rstrip("+"))),
            (f"{one.sentences:,}", one.sentences),
            word(f"{one.second} less {one.first}"),
            (difference(one.difference), one.difference.value),
            word("clear" if one.difference.is_clear else "holds zero"),
        ]
        for one in found
    ]
    return Table(
        name=f"bands-{test_set}",
        caption=f"Differences in BLEU by length, {test_set}",
        headings=("Words of the source", "Sentences", "Systems", "Difference (95 %)", "Interval"),
        rows=rows,
        numeric=frozenset((1, 3)),
        note="Not corrected for the number of bands: one clear band among several may be chance.",
    )


def fault_table(test_set: str, rates: Sequence[FaultRate]) -> Table:
    """Shares of faults."""
    rows = [
        [
            word(one.fault),
            word(one.system),
            (percent(one.rate), one.rate.value),
            (f"{one.counted:,}", one.counted),
        ]
        for one in rates
    ]
    return Table(
        name=f"faults-{test_set}",
        caption=f"Faults, {test_set}",
        headings=("Fault", "System", "Share (95 %)", "Counted"),
        rows=rows,
        numeric=frozenset((2, 3)),
        note="; ".join(f"{fault}: {text}" for fault, text in FAULTS.items()) + ".",
    )


def attention_table(scores: Sequence[AttentionScore]) -> Table:
    """Entropy and agreement."""
    rows = [
        [
            word(one.system),
            (estimate(one.entropy, 2), one.entropy.value),
            *(
                (percent(found), found.value)
                for found in (
                    [one.agreement.error_rate, one.agreement.precision, one.agreement.recall]
                    if one.agreement
                    else []
                )
            ),
        ]
        for one in scores
    ]
    headings = ("System", "Entropy, bits (95 %)", "Alignment error rate", "Precision", "Recall")
    shown = 5 if any(one.agreement for one in scores) else 2
    return Table(
        name="attention",
        caption="Attention while writing the references",
        headings=headings[:shown],
        rows=rows,
        numeric=frozenset(range(1, shown)),
    )
