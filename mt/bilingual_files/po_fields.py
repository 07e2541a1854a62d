"""Lines of gettext catalogues as fields, which the server fills in and corpora are read from.

The lines are read here and not by polib or Babel, because those hold a whole file, and wrap and
order its lines anew.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mt.errors import InputError

_FIELD = re.compile(r'(?P<name>msgctxt|msgid_plural|msgid|msgstr(?:\[\d+\])?)[ \t]+(?P<value>".*)')
_QUOTED = re.compile(r'[ \t]*"(?P<text>(?:[^"\\]|\\.)*+)"[ \t]*')
_ESCAPE = re.compile(r"\\(.)")
_MEANING = {"n": "\n", "t": "\t", "r": "\r"}
MAX_FIELD_LINES = 10_000


class Field(NamedTuple):
    """A field with its lines, as they are, and the number of the first, from 1.

    name: as `msgstr[0]`; empty for a line that is no field: a comment, or blank.
    """

    number: int
    name: str
    lines: list[str]

    def value(self) -> str:
        """Its text.

        Raises:
            InputError: names the line whose quotes are not closed.
        """
        first = _FIELD.match(self.lines[0])
        quoted = [first["value"] if first else "", *self.lines[1:]]
        found = [_QUOTED.fullmatch(one.rstrip("\r\n")) for one in quoted]
        if None in found:
            number = self.number + found.index(None)
            raise InputError(f"line {number}: quotes of a PO file must be closed on their line")
        text = "".join(one["text"] for one in found if one)
        return _ESCAPE.sub(lambda escape: _MEANING.get(escape[1], escape[1]), text)


def fields(lines: Iterable[str]) -> Iterator[Field]:
    """All lines, in their order; a field has those that go on with it.

    Raises:
        InputError: names the line that is none of a catalogue.
    """
    field = Field(0, "", [])
    for number, line in enumerate(lines, start=1):
        if field.name and line.lstrip().startswith('"'):
            if len(field.lines) == MAX_FIELD_LINES:
                raise InputError(f"line {number}: a message of more than {MAX_FIELD_LINES} lines")
            field.lines.append(line)
            continue
        if field.lines:
            yield field
        found = _FIELD.match(line)
        bare = line.strip()
        if not found and bare and not bare.startswith("#"):
            raise InputError(f"line {number} is none of a PO file")
        field = Field(number, found["name"] if found else "", [line])
    if field.lines:
        yield field
