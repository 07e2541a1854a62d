"""Gettext catalogues: each message without a translation gets one; all else stays as it is.

The lines are read here and not by polib or Babel, because those wrap and order lines anew.
"""

import re
from collections.abc import Iterator

from mt.errors import InputError
from serving.file_formats.passages import FileText, Passage
from serving.text.text_checks import has_letters

_FIELD = re.compile(r'(?P<name>msgctxt|msgid_plural|msgid|msgstr(?:\[\d+\])?)[ \t]+(?P<value>".*)')
_QUOTED = re.compile(r'[ \t]*"(?P<text>(?:[^"\\]|\\.)*+)"[ \t]*')
_ESCAPE = re.compile(r"\\(.)")
_MEANING = {"n": "\n", "t": "\t", "r": "\r"}
_WRITTEN = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"})


def read(text: str) -> FileText:
    """Messages whose `msgstr` is empty; of a plural, each form.

    Raises:
        InputError: a line that is none of a catalogue.
    """
    lines = re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$", text)
    return FileText(tuple(_pieces(lines)))


def _pieces(lines: list[str]) -> Iterator[str | Passage]:
    sources = {"msgid": "", "msgid_plural": ""}
    for number, name, field in _fields(lines):
        if not name:
            yield "".join(field)
            continue
        value = _value(field, number)
        if name in sources:
            sources[name] = value
            if name == "msgid":
                sources["msgid_plural"] = ""
        plural = name not in ("msgstr", "msgstr[0]")
        source = sources["msgid_plural" if plural else "msgid"]
        if name.startswith("msgstr") and not value and has_letters(source):
            yield f"{name} "
            end = field[-1][len(field[-1].rstrip("\r\n")) :]
            yield Passage(source, _Writer(end or "\n"))
            yield end
        else:
            yield "".join(field)


def _fields(lines: list[str]) -> Iterator[tuple[int, str, list[str]]]:
    """Fields with their lines and the number of the first; other lines have no name."""
    at = 0
    while at < len(lines):
        found = _FIELD.match(lines[at])
        end = at + 1
        while found and end < len(lines) and lines[end].lstrip().startswith('"'):
            end += 1
        bare = lines[at].strip()
        if not found and bare and not bare.startswith("#"):
            raise InputError(f"line {at + 1} is none of a PO file")
        yield at + 1, found["name"] if found else "", lines[at:end]
        at = end


def _value(field: list[str], number: int) -> str:
    first = _FIELD.match(field[0])
    quoted = [first["value"] if first else "", *field[1:]]
    found = [_QUOTED.fullmatch(one.rstrip("\r\n")) for one in quoted]
    if not all(found):
        raise InputError(f"line {number}: quotes of a PO file must be closed on their line")
    text = "".join(one["text"] for one in found if one)
    return _ESCAPE.sub(lambda escape: _MEANING.get(escape[1], escape[1]), text)


class _Writer:
    """A quoted string; over several lines where the text has several, as gettext writes it."""

    def __init__(self, line_end: str) -> None:
        self._line_end = line_end

    def __call__(self, translation: str) -> str:
        lines = translation.splitlines(keepends=True) or [""]
        quoted = [f'"{line.translate(_WRITTEN)}"' for line in lines]
        return self._line_end.join(quoted if len(quoted) == 1 else ['""', *quoted])
