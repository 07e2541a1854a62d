"""Tables that the page sorts and the summary prints."""

from collections.abc import Sequence
from dataclasses import dataclass

Cell = tuple[str, float | str]
"""What is read, and what the column is sorted by."""


@dataclass(frozen=True)
class Table:
    """Rows below headings; `numeric` says which columns are figures, set to the right."""

    name: str
    caption: str
    headings: tuple[str, ...]
    rows: Sequence[Sequence[Cell]]
    numeric: frozenset[int] = frozenset()
    note: str = ""

    def markdown(self) -> str:
        """As Markdown prints it; bars in cells are escaped."""
        marks = ["---:" if i in self.numeric else "---" for i in range(len(self.headings))]
        lines = [self.headings, tuple(marks), *([text for text, _ in row] for row in self.rows)]
        return "\n".join("| " + " | ".join(plain(text) for text in line) + " |" for line in lines)


def word(text: str) -> Cell:
    """A cell of text, sorted as it is read."""
    return (text, text.casefold())


def plain(text: str) -> str:
    """Text that Markdown prints as it is, on one line: no mark-up, no HTML, no table's bar."""
    escaped = "".join(f"\\{sign}" if sign in "\\`*_[]<>|#!" else sign for sign in text)
    return " ".join(escaped.replace("&", "&amp;").split())
