"""Heat maps of attention: Bahdanau et al. 2015, Figure 3."""

from training.compare.explain.attention import HeatMap
from training.compare.report.charts import tooltip
from training.compare.report.picture import Json, Picture, Row

END = "end of sentence"
_WORD = (
    "slice(datum.label, 4)"  # words stand twice in a sentence; `003 ` before each keeps them apart
)
_BLUE = "#2b8fd0"  # seen well on white and on black
_ROW, _MARGIN = 24, 90  # pixels


def heat_map_picture(found: HeatMap) -> Picture:
    """Source words from left to right, words of the translation from top to bottom."""
    sources = [f"{i:03d} {word}" for i, word in enumerate((*found.source_words, END))]
    targets = [f"{i:03d} {word}" for i, word in enumerate(found.target_words)]
    rows: list[Row] = [
        {"translation": target, "source": source, "attention": weight}
        for target, weights in zip(targets, found.weights, strict=True)
        for source, weight in zip(sources, weights, strict=True)
    ]
    strongest = [
        f"{word} on {(*found.source_words, END)[weights.index(max(weights))]}"
        for word, weights in zip(found.target_words, found.weights, strict=True)
    ]
    return Picture(
        name=f"attention-{found.number}-{found.system}",
        title=f"Attention of {found.system}, sentence {found.number}",
        rows=rows,
        drawing={
            "mark": {"type": "rect", "color": _BLUE},
            "encoding": {
                "x": _axis("source", sources, {"orient": "top", "labelAngle": -90}),
                "y": _axis("translation", targets, {}),
                "opacity": {  # on a light ground as on a dark one
                    "field": "attention",
                    "type": "quantitative",
                    "scale": {"domain": [0, 1], "range": [0.02, 1]},
                    "legend": None,
                },
                "tooltip": tooltip(source="", translation="", attention=".2f"),
            },
        },
        shows="",
        cannot="",
        alt=f"Heat map: words of the translation and the source word each attends to most. "
        f"{'; '.join(strongest)}.",
        height=_MARGIN + _ROW * len(targets),
        width=min(680, 150 + 34 * len(sources)),
    )


def _axis(field: str, values: list[str], axis: Json) -> Json:
    look = {"labelExpr": _WORD, "ticks": False, "domain": False, "labelOverlap": False, **axis}
    return {"field": field, "type": "ordinal", "sort": values, "title": None, "axis": look}
