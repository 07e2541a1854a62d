"""Marks and encodings that several pictures share; systems keep colour, shape and dash throughout.

Colours are those of Okabe & Ito 2008, which colour-blind readers tell apart.
"""

from collections.abc import Sequence

from training.compare.report.picture import Json

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f")
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right")
DASHES: tuple[list[int], ...] = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 4], [10, 4], [1, 3])
_LEGEND = {
    "title": None,
    "symbolOpacity": 1,
    "symbolStrokeWidth": 0,
    "orient": "top",
    "columns": {"expr": "width < 420 ? 1 : 4"},
}

CHOSEN: list[Json] = [
    {"name": "chosen", "select": {"type": "point", "fields": ["system"]}, "bind": "legend"}
]
"""A click on the legend keeps one system in sight."""


def colour(systems: Sequence[str]) -> Json:
    """The colour of each system."""
    return _by_system(systems, COLOURS)


def shape(systems: Sequence[str]) -> Json:
    """The shape of each system's points."""
    return _by_system(systems, SHAPES)


def dash(systems: Sequence[str]) -> Json:
    """The dash of each system's lines."""
    return _by_system(systems, DASHES)


def faded(full: float, faint: float) -> Json:
    """Opacity of what is chosen in the legend, and of the rest."""
    return {"condition": {"param": "chosen", "value": full}, "value": faint}


def quantity(field: str, title: str, scale: Json | None = None, axis: Json | None = None) -> Json:
    """An axis of figures that need not begin at zero."""
    return {
        "field": field,
        "type": "quantitative",
        "title": title,
        "scale": scale or {"zero": False, "padding": 8},
        "axis": {"tickCount": 6, **(axis or {})},
    }


def order(field: str, title: str | None, values: Sequence[str], axis: Json | None = None) -> Json:
    """An axis of names in this order."""
    return {
        "field": field,
        "type": "ordinal",
        "title": title,
        "sort": list(values),
        "axis": {"labelAngle": 0, **(axis or {})},
    }


def tooltip(**formats: str) -> list[Json]:
    """What a pointer shows: fields with their formats, `` for text."""
    return [
        {"field": field, "type": "quantitative" if pattern else "nominal", "format": pattern}
        if pattern
        else {"field": field, "type": "nominal"}
        for field, pattern in formats.items()
    ]


def lines_with_bands(
    x: Json, y_title: str, systems: Sequence[str], shown: list[Json], **lines: Json
) -> Json:
    """A line for each system through `value`, in a band from `low` to `high`."""

    def y(field: str) -> Json:
        return quantity(field, y_title)

    shade = 0.16 if len(systems) <= 3 else 0.08  # many lie over one another
    area = {"y": y("low"), "y2": {"field": "high"}, "opacity": faded(shade, 0.02)}
    seen = {"opacity": faded(1.0, 0.12)}
    common = {"x": x, "color": colour(systems)}
    return {
        "layer": [
            {"params": CHOSEN, "mark": "area", "encoding": {**common, **lines, **area}},
            {
                "mark": {"type": "line", "strokeWidth": 2.5},
                "encoding": {
                    **common,
                    "strokeDash": dash(systems),
                    **lines,
                    "y": y("value"),
                    **seen,
                },
            },
            {
                "mark": {"type": "point", "filled": True, "size": 70},
                "encoding": {
                    **common,
                    "shape": shape(systems),
                    **{key: one for key, one in lines.items() if key == "detail"},
                    "y": y("value"),
                    "tooltip": shown,
                    **seen,
                },
            },
        ]
    }


def _by_system(systems: Sequence[str], looks: Sequence[object]) -> Json:
    chosen = [looks[i % len(looks)] for i in range(len(systems))]
    return {
        "field": "system",
        "type": "nominal",
        "scale": {"domain": list(systems), "range": chosen},
        "legend": _LEGEND,
    }
