"""Pictures of rare words, and of faults."""

from collections.abc import Sequence

from training.compare.explain.faults import FAULTS, REFERENCES, FaultRate
from training.compare.explain.word_frequency import WordAccuracy
from training.compare.report.charts import (
    CHOSEN,
    colour,
    faded,
    lines_with_bands,
    order,
    quantity,
    tooltip,
)
from training.compare.report.numbers import percent
from training.compare.report.picture import Picture, Row


def by_frequency(
    test_set: str, accuracy: Sequence[WordAccuracy], systems: Sequence[str]
) -> Picture:
    """F1 of words by their frequency in training."""
    rows: list[Row] = [
        {
            "system": one.system,
            "frequency": one.bucket,
            "words": one.words,
            "value": one.f1.value,
            "low": one.f1.low,
            "high": one.f1.high,
            "precision": one.precision.value,
            "recall": one.recall.value,
        }
        for one in accuracy
    ]
    buckets = list(dict.fromkeys(one.bucket for one in accuracy))
    sizes = {one.bucket: one.words for one in accuracy}
    x = order("frequency", "times in training's target side", buckets, axis={"labelAngle": -30})
    formats = {"value": ".3f", "low": ".3f", "high": ".3f", "precision": ".3f", "recall": ".3f"}
    shown = tooltip(system="", frequency="", words=",d", **formats)
    return Picture(
        name=f"words-by-frequency-{test_set}",
        title=f"Accuracy of words by how often training has them, {test_set}",
        rows=rows,
        drawing=lines_with_bands(x, "F1 of words", systems, shown),
        shows="Every word of the translations and references is sorted by how often the target "
        "side of the training text has it. A word counts as right where the reference of the same "
        "sentence has it too, as often at most; F1 joins precision and recall, as in compare-mt "
        "(Neubig et al. 2019). Words of the references: "
        + ", ".join(f"{bucket}: {sizes[bucket]:,}" for bucket in buckets)
        + ".",
        cannot="A good synonym counts as wrong, and a right word in the wrong place as right. "
        "Words that training never had can only be spelt from subwords or copied; few of them "
        "stand in a test set, so the left end is uncertain.",
        alt=f"Line chart of the F1 of words over frequency, {test_set}. "
        + "; ".join(f"{one.system}, {one.bucket}: {percent(one.f1)}" for one in accuracy)
        + ".",
    )


def fault_picture(test_set: str, rates: Sequence[FaultRate], systems: Sequence[str]) -> Picture:
    """Shares of faults, systems side by side, the references among them."""
    everyone = [*systems, REFERENCES]
    rows: list[Row] = [
        {
            "system": one.system,
            "fault": one.fault,
            "counted": one.counted,
            "value": one.rate.value,
            "low": one.rate.low,
            "high": one.rate.high,
        }
        for one in rates
    ]
    faults = list(dict.fromkeys(one.fault for one in rates))
    x = order("fault", None, faults, axis={"labelExpr": "split(datum.label, ' ')"})
    beside = {"field": "system", "type": "nominal", "sort": everyone}
    common = {"x": x, "xOffset": beside, "opacity": faded(0.9, 0.1)}
    title = "share"
    y = quantity("value", title, axis={"format": ".0%"}, scale={"zero": True})
    shown = tooltip(system="", fault="", value=".1%", low=".1%", high=".1%", counted=",d")
    return Picture(
        name=f"faults-{test_set}",
        title=f"Faults, {test_set}",
        rows=rows,
        drawing={
            "layer": [
                {
                    "params": CHOSEN,
                    "mark": "bar",
                    "encoding": {**common, "y": y, "color": colour(everyone), "tooltip": shown},
                },
                {
                    "mark": {"type": "rule", "strokeWidth": 1.5},
                    "encoding": {**common, "y": {**y, "field": "low"}, "y2": {"field": "high"}},
                },
            ]
        },
        shows="; ".join(f"{fault}: {FAULTS[fault]}" for fault in faults).capitalize()
        + ". Upright lines are 95 % intervals.",
        cannot="No person judged these sentences. A translation may repeat or leave out a word and "
        "be right: where the references can be counted the same way they stand beside, as what "
        "even good translations do. Words left out are found by an aligner, which errs too.",
        alt=f"Bar chart of faults, {test_set}. "
        + "; ".join(f"{one.fault}, {one.system}: {percent(one.rate)}" for one in rates)
        + ".",
    )
