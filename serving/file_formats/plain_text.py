"""Plain text: each line with letters is a passage, so that no passage is long."""

import re

from serving.file_formats.passages import FileText, Passage
from serving.text.text_checks import has_letters


def read(text: str) -> FileText:
    """Lines, their breaks kept whatever they are."""
    pieces = (piece for piece in re.split(r"([\r\n]+)", text) if piece)
    return FileText(tuple(Passage(one) if has_letters(one) else one for one in pieces))
