"""JSON of messages, and ARB: each string value is a passage; keys and layout stay.

In ARB what begins with `@` tells about messages and is kept.
"""

import json
import re
from collections.abc import Iterator

from mt.errors import InputError
from serving.file_formats.passages import FileText, Passage
from serving.text.text_checks import has_letters

_WORD = re.compile(r'"(?:[^"\\]|\\.)*+"|[{}\[\]:,]|[^"{}\[\]:,]+')


def read(text: str) -> FileText:
    """String values with letters.

    Raises:
        InputError: not JSON.
    """
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        where = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise InputError(f"not JSON{where}") from None
    return FileText(tuple(_pieces(text)))


def _pieces(text: str) -> Iterator[str | Passage]:
    words = _WORD.findall(text)
    levels: list[bool] = []  # of each object or list around: whether it is only about messages
    key_is_about = False
    for at, word in enumerate(words):
        about = bool(levels and levels[-1])
        if word in "{[":
            levels.append(about or key_is_about)
            key_is_about = False
        elif word in "}]":
            levels.pop()
        elif word == ",":
            key_is_about = False
        elif word[0] == '"' and _is_key(words, at):
            key_is_about = word.startswith('"@')
        elif word[0] == '"' and not about and not key_is_about:
            value = str(json.loads(word))
            ascii_only = word.isascii() and "\\u" in word
            yield Passage(value, _Writer(ascii_only)) if has_letters(value) else word
            continue
        yield word


def _is_key(words: list[str], at: int) -> bool:
    following = (word for word in words[at + 1 : at + 3] if not word.isspace())
    return next(following, "") == ":"


class _Writer:
    """JSON of a string, in ASCII where the file wrote the string so."""

    def __init__(self, ascii_only: bool) -> None:
        self._ascii_only = ascii_only

    def __call__(self, translation: str) -> str:
        return json.dumps(translation, ensure_ascii=self._ascii_only)
