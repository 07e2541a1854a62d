"""A picture: its rows, how they are drawn, and what a reader may take from it."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
Row = dict[str, str | float | int | bool | None]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"  # names the language; never fetched
WIDTH = 680  # pixels of the static picture


@dataclass(frozen=True)
class Picture:
    """One picture of the report.

    name: of its files, and its address on the page; rows: what is drawn, and nothing else;
    drawing: Vega-Lite marks and encodings, without data and size; alt: for who cannot see it.
    """

    name: str
    title: str
    rows: Sequence[Row]
    drawing: Json
    shows: str
    cannot: str
    alt: str
    height: int = 300
    width: int = WIDTH

    def specification(self, width: int | str | None = None) -> Json:
        """All of Vega-Lite's; width: pixels, or `container` on the page."""
        return {
            "$schema": SCHEMA,
            "width": width or self.width,
            "height": self.height,
            "autosize": {"type": "fit", "contains": "padding"},
            "description": self.alt,
            "data": {"values": list(self.rows)},
            **self.drawing,
        }

    def csv(self) -> str:
        """The rows, with a heading."""
        text = io.StringIO()
        writer = csv.DictWriter(text, list(self.rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        return text.getvalue()
