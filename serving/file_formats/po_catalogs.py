"""Gettext catalogues: each message without a translation gets one; all else stays as it is."""

import re
from collections.abc import Iterator

from mt.bilingual_files.po_fields import fields
from serving.file_formats.passages import FileText, Passage
from serving.text.text_checks import has_letters

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
    for field in fields(lines):
        name = field.name
        if not name:
            yield "".join(field.lines)
            continue
        value = field.value()
        if name in sources:
            sources[name] = value
            if name == "msgid":
                sources["msgid_plural"] = ""
        plural = name not in ("msgstr", "msgstr[0]")
        source = sources["msgid_plural" if plural else "msgid"]
        if name.startswith("msgstr") and not value and has_letters(source):
            yield f"{name} "
            last = field.lines[-1]
            end = last[len(last.rstrip("\r\n")) :]
            yield Passage(source, _Writer(end or "\n"))
            yield end
        else:
            yield "".join(field.lines)


class _Writer:
    """A quoted string; over several lines where the text has several, as gettext writes it."""

    def __init__(self, line_end: str) -> None:
        self._line_end = line_end

    def __call__(self, translation: str) -> str:
        lines = translation.splitlines(keepends=True) or [""]
        quoted = [f'"{line.translate(_WRITTEN)}"' for line in lines]
        return self._line_end.join(quoted if len(quoted) == 1 else ['""', *quoted])
