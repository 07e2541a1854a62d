"""Pictures of learning over what it costs, and of quality beside what translating costs."""

from collections.abc import Sequence

from training.compare.explain.pareto import COSTS, Cost, Priced
from training.compare.outcome import CurvePoint, Run, ViewName
from training.compare.report.charts import CHOSEN, colour, dash, faded, quantity, shape, tooltip
from training.compare.report.numbers import estimate, number
from training.compare.report.picture import Json, Picture, Row

_EQUAL = 1.01  # costs within 1 %, as matched sizes are, make no picture
_AXES: dict[ViewName, str] = {
    "tokens": "target tokens trained on",
    "minutes": "minutes of processor time",
    "flops": "FLOPs of training",
}
_ZOOM: Json = {  # with the shift key, so that the wheel and a finger scroll the page
    "name": "zoom",
    "bind": "scales",
    "select": {
        "type": "interval",
        "translate": "[mousedown[event.shiftKey], window:mouseup] > window:mousemove!",
        "zoom": "wheel![event.shiftKey]",
    },
}


def learning_curves(runs: Sequence[Run], systems: Sequence[str]) -> list[Picture]:
    """Validation BLEU of every run against tokens, processor time and FLOPs."""
    return [_curves(axis, runs, systems) for axis in _AXES if any(run.curve for run in runs)]


def _curves(axis: ViewName, runs: Sequence[Run], systems: Sequence[str]) -> Picture:
    rows: list[Row] = [
        {
            "system": run.system,
            "seed": run.seed,
            "run": f"{run.system}, seed {run.seed}",
            "spent": _spent(point, axis),
            "BLEU": point.validation_bleu,
            "update": point.update,
        }
        for run in runs
        for point in run.curve
    ]
    common = {
        "x": quantity("spent", _AXES[axis], axis={"format": "~s"}),
        "y": quantity("BLEU", "BLEU on validation"),
        "color": colour(systems),
        "detail": {"field": "run"},
        "opacity": faded(0.75, 0.08),
    }
    shown = tooltip(system="", seed="d", spent=".3~s", BLEU=".2f", update=",d")
    lines = {"mark": {"type": "line", "strokeWidth": 1.5}, "params": [*CHOSEN, _ZOOM]}
    points = {"mark": {"type": "point", "filled": True, "size": 22}}
    return Picture(
        name=f"learning-curves-{axis}",
        title=f"Learning curves over {_AXES[axis]}",
        rows=rows,
        drawing={
            "layer": [
                {**lines, "encoding": {**common, "strokeDash": dash(systems)}},
                {**points, "encoding": {**common, "shape": shape(systems), "tooltip": shown}},
            ]
        },
        shows="",
        cannot=_AXIS_LIMITS[axis],
        alt=f"Line chart of validation BLEU over {_AXES[axis]}. "
        + "; ".join(
            f"{run.system}, seed {run.seed} ends at {number(run.curve[-1].validation_bleu)}"
            for run in runs
            if run.curve
        )
        + ".",
    )


def _spent(point: CurvePoint, axis: ViewName) -> float:
    spent = {
        "tokens": point.target_tokens,
        "minutes": point.processor_minutes,
        "flops": point.flops,
    }
    return spent[axis]


def quality_beside_cost(
    test_set: str, priced: Sequence[Priced], systems: Sequence[str]
) -> list[Picture]:
    """A Pareto picture for each cost that was measured and in which systems differ."""
    by_cost = {
        cost: [one for one in priced if one.cost == cost]
        for cost in dict.fromkeys(one.cost for one in priced)
    }
    return [
        _pareto(test_set, cost, ones, systems)
        for cost, ones in by_cost.items()
        if max(one.most for one in ones) > _EQUAL * min(one.least for one in ones)
    ]


def _pareto(test_set: str, cost: Cost, priced: Sequence[Priced], systems: Sequence[str]) -> Picture:
    rows: list[Row] = [
        {
            "system": one.system,
            "value": one.value,
            "least": one.least,
            "most": one.most,
            "BLEU": one.bleu.value,
            "low": one.bleu.low,
            "high": one.bleu.high,
            "on the front": one.on_front,
        }
        for one in sorted(priced, key=lambda one: one.value)
    ]
    x, y = quantity("value", COSTS[cost]), quantity("BLEU", "BLEU")
    seen = {"color": colour(systems), "opacity": faded(1.0, 0.12)}
    shown = tooltip(system="", value=".4~s", BLEU=".2f", low=".2f", high=".2f")
    front = {
        "transform": [{"filter": "datum['on the front']"}],
        "mark": {"type": "line", "interpolate": "step-after", "strokeDash": [3, 3]},
        "encoding": {"x": x, "y": y, "color": {"value": "#7f7f7f"}},
    }
    upright = {
        "params": CHOSEN,
        "mark": "rule",
        "encoding": {"x": x, "y": quantity("low", "BLEU"), "y2": {"field": "high"}, **seen},
    }
    across = {
        "mark": "rule",
        "encoding": {
            "x": quantity("least", COSTS[cost]),
            "x2": {"field": "most"},
            "y": y,
            **seen,
        },
    }
    points = {
        "mark": {"type": "point", "filled": True, "size": 120},
        "encoding": {"x": x, "y": y, "shape": shape(systems), "tooltip": shown, **seen},
    }
    return Picture(
        name=f"quality-beside-{cost}-{test_set}",
        title=f"BLEU beside {COSTS[cost]}, {test_set}",
        rows=rows,
        drawing={"layer": [front, upright, across, points]},
        shows="",
        cannot=_PARETO_LIMITS[cost],
        alt=f"Scatter plot of BLEU over {COSTS[cost]}. "
        + "; ".join(
            f"{one.system}: {number(one.value, 2)}, {estimate(one.bleu)} BLEU"
            f"{', on the front' if one.on_front else ''}"
            for one in priced
        )
        + ".",
        height=260,
    )


LEARNING = (
    "Each line is one seed. Read it upright, for the score that a budget buys, and across, for the "
    "budget that a score costs; on a screen, the wheel zooms while the shift key is down. These "
    "are greedy translations of validation sentences, which choose the weights: they are not the "
    "test result, and look a little better than it."
)
PARETO = (
    "Up is better, left is cheaper. The dotted steps join the systems that no other one beats in "
    "both; what lies below and right of them has a better alternative. Upright lines are intervals "
    "of 95 %, level ones reach from the cheapest seed to the dearest."
)

_AXIS_LIMITS: dict[ViewName, str] = {
    "tokens": "Equal text is not equal work: a token costs each system its own time and FLOPs.",
    "minutes": "Time is that of this machine and this code; better tuned code of either kind, or a "
    "processor with more cores, moves its lines.",
    "flops": "FLOPs say what must be computed, not how well a processor can: recurrence computes "
    "step after step, attention all at once.",
}
_PARETO_LIMITS: dict[Cost, str] = {
    "seconds": "This is PyTorch with the comparison's beam on the machine named below; an exported "
    "model in another runtime, another batch or another processor can change the order.",
    "memory": "Memory is that of the whole process, its libraries included, and so a ceiling for "
    "small models rather than what the model itself needs.",
    "energy": "Where the processor has no meter that may be read, energy is processor time times "
    "an assumed power, and then says nothing that time does not.",
    "parameters": "Parameters say little about speed, or about the text needed to set them.",
}
