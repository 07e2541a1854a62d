"""Pictures of the main result: scores of every seed, and differences with their intervals."""

from collections.abc import Sequence

from training.compare.explain.pairs import shown_pairs
from training.compare.outcome import Comparison, Contrast, Summary
from training.compare.report.charts import CHOSEN, colour, faded, quantity, shape, tooltip
from training.compare.report.numbers import difference, estimate
from training.compare.report.picture import Json, Picture, Row

_LINES = "split(datum.label, '|')"  # a label of several lines
_CLEAR = {"one is better": "#0072b2", "neither is shown to be": "#7f7f7f"}
_DIFFERENCE = "difference in BLEU; right of zero, the system named first is ahead"


def scores_by_seed(comparison: Comparison, summaries: Sequence[Summary]) -> Picture:
    """Every seed as a dot, its system's mean with an interval; summaries are of one metric."""
    systems = [system.name for system in comparison.systems]
    views = {view.name: view.title for view in comparison.views}
    rows: list[Row] = []
    for one in summaries:
        place = {"system": one.system, "row": f"{one.system}|{one.test_set}, {views[one.view]}"}
        low, high = one.mean.low, one.mean.high
        rows.append({**place, "seed": "mean", "value": one.mean.value, "low": low, "high": high})
        rows += [
            {**place, "seed": str(result.seed), "value": result.value("BLEU"), "low": None}
            | {"high": None}
            for result in comparison.results
            if (result.system, result.data, result.view, result.test_set)
            == (one.system, one.data, one.view, one.test_set)
        ]
    y = _lines_of(rows)
    seen = {"color": colour(systems), "opacity": faded(1.0, 0.12)}
    mean = [{"filter": "datum.seed === 'mean'"}]
    shown = tooltip(system="", seed="", value=".2f", low=".2f", high=".2f")
    return Picture(
        name="scores",
        title="BLEU of every seed, and of their mean",
        rows=rows,
        drawing={
            "layer": [
                {
                    "params": CHOSEN,
                    "transform": mean,
                    "mark": {"type": "rule", "strokeWidth": 2},
                    "encoding": {
                        "y": y,
                        "x": quantity("low", "BLEU"),
                        "x2": {"field": "high"},
                        **seen,
                    },
                },
                {
                    "transform": mean,
                    "mark": {"type": "point", "filled": True, "size": 110},
                    "encoding": {
                        "y": y,
                        "x": quantity("value", "BLEU"),
                        "shape": shape(systems),
                        "tooltip": shown,
                        **seen,
                    },
                },
                {
                    "transform": [{"filter": "datum.seed !== 'mean'"}],
                    "mark": {"type": "tick", "thickness": 2, "size": 18},
                    "encoding": {
                        "y": y,
                        "x": quantity("value", "BLEU"),
                        "tooltip": shown,
                        **seen,
                    },
                },
            ]
        },
        shows="Each upright stroke is one training from another seed: the same recipe, other first "
        "weights and another order of sentences. The filled mark is their mean, never the best of "
        "them; the line through it is its 95 % interval, for other seeds and other sentences. "
        "Rows of one budget may be compared with each other.",
        cannot="Intervals of two systems that overlap do not show that the systems are equal, nor "
        "that they differ: both were scored on the same sentences, and the picture of differences "
        "uses that.",
        alt="Dot plot. "
        + "; ".join(
            f"{one.system}, {views[one.view]}, {one.test_set}: {estimate(one.mean)} BLEU"
            for one in summaries
        ),
        height=40 + 52 * len(summaries),
    )


def differences(comparison: Comparison, contrasts: Sequence[Contrast]) -> Picture:
    """A forest plot of contrasts by one metric: of the pairs that are shown."""
    views = {view.name: view.title for view in comparison.views}
    pairs = shown_pairs([system.name for system in comparison.systems])
    contrasts = [one for one in contrasts if (one.first, one.second) in pairs]
    rows: list[Row] = [
        {
            "row": f"{one.second} less {one.first}|{one.test_set}, {views[one.view]}",
            "first": one.first,
            "second": one.second,
            "test set": one.test_set,
            "budget": views[one.view],
            "value": one.difference.value,
            "low": one.difference.low,
            "high": one.difference.high,
            "p": one.p_holm,
            "verdict": list(_CLEAR)[one.better == "neither"],
        }
        for one in contrasts
    ]
    y = _lines_of(rows)
    verdict: Json = {
        "field": "verdict",
        "type": "nominal",
        "scale": {"domain": list(_CLEAR), "range": list(_CLEAR.values())},
        "legend": {"title": None, "orient": "top"},
    }
    shown = tooltip(first="", second="", value="+.2f", low="+.2f", high="+.2f", p=".3f", verdict="")
    return Picture(
        name="differences",
        title="Differences in BLEU",
        rows=rows,
        drawing={
            "layer": [
                {
                    "mark": {"type": "rule", "strokeDash": [4, 4]},
                    "encoding": {"x": {"datum": 0, "type": "quantitative"}},
                },
                {
                    "mark": {"type": "rule", "strokeWidth": 3},
                    "encoding": {
                        "y": y,
                        "x": quantity("low", _DIFFERENCE),
                        "x2": {"field": "high"},
                        "color": verdict,
                    },
                },
                {
                    "mark": {"type": "point", "filled": True, "size": 110, "opacity": 1},
                    "encoding": {
                        "y": y,
                        "x": quantity("value", _DIFFERENCE),
                        "color": verdict,
                        "tooltip": shown,
                    },
                },
            ]
        },
        shows="Each line is the 95 % interval of a difference, found by resampling seeds and then "
        "sentences. Where it reaches over the dashed line at zero, or where the p-value corrected "
        "for the number of tests is not below 0.05, or a system has but one seed, neither is "
        "called better.",
        cannot="“Neither” does not mean equal: fewer seeds or sentences make intervals wider. And "
        "an interval speaks for this corpus, these recipes and this test set, for no other.",
        alt="Forest plot. "
        + "; ".join(
            f"{one.second} less {one.first} on {one.test_set}, {views[one.view]}: "
            f"{difference(one.difference)} BLEU, better: {one.better}"
            for one in contrasts
        ),
        height=60 + 46 * len(rows),
    )


def _lines_of(rows: Sequence[Row]) -> Json:
    """A row for each label, labels of several lines."""
    return {
        "field": "row",
        "type": "nominal",
        "title": None,
        "sort": list(dict.fromkeys(row["row"] for row in rows)),
        "axis": {"labelExpr": _LINES, "labelOffset": -6, "grid": True, "tickBand": "extent"},
    }
