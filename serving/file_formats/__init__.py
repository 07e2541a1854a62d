"""Files taken apart into passages to translate and everything else, which comes back as it was.

`open_file(name, content)` picks the reader by the name's ending. A caller translates `texts`, with
`text_options`, and gets the new file from `filled`. Text files are UTF-8.
"""

from collections.abc import Callable
from pathlib import PurePath

from mt.errors import InputError
from serving.file_formats import (
    json_catalogs,
    markdown_pages,
    plain_text,
    po_catalogs,
    subtitles,
    web_pages,
    xliff,
)
from serving.file_formats.passages import FileText

_READERS: dict[str, Callable[[str], FileText]] = {
    ".txt": plain_text.read,
    ".html": web_pages.read,
    ".htm": web_pages.read,
    ".xhtml": web_pages.read,
    ".md": markdown_pages.read,
    ".srt": subtitles.read,
    ".vtt": subtitles.read,
    ".json": json_catalogs.read,
    ".arb": json_catalogs.read,
    ".po": po_catalogs.read,
    ".pot": po_catalogs.read,
    ".xlf": xliff.read,
    ".xliff": xliff.read,
}
ENDINGS = tuple(_READERS)
"""Of the names of files that can be read, small letters."""
BOM = "\ufeff"


def open_file(name: str, content: bytes) -> FileText:
    """The passages of a file.

    Raises:
        InputError: another kind of file; not UTF-8; not what its name says.
    """
    read = _READERS.get(PurePath(name).suffix.lower())
    if read is None:
        raise InputError(f"file: only those whose names end in {', '.join(ENDINGS)}")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"file: byte {error.start + 1} is not UTF-8") from None
    try:
        found = read(text.removeprefix(BOM))
    except InputError as error:
        raise InputError(f"file: {error}") from None
    return found.behind(BOM) if text.startswith(BOM) else found
