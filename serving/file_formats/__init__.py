"""Files taken apart into passages to translate and everything else, which comes back as it was.

`open_file(name, content)` picks the reader by the name's ending. A caller translates `texts`, with
`text_options`, and gets the new file from `filled`. Text is UTF-8.
"""

from collections.abc import Callable
from pathlib import PurePath

from mt.errors import InputError
from serving.file_formats import (
    books,
    json_catalogs,
    markdown_pages,
    open_documents,
    plain_text,
    po_catalogs,
    subtitles,
    web_pages,
    word_documents,
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
_ARCHIVES: dict[str, Callable[[bytes], FileText]] = {
    ".docx": word_documents.read,
    ".odt": open_documents.read,
    ".epub": books.read,
}
ENDINGS = (*_READERS, *_ARCHIVES)
"""Of the names of files that can be read, small letters."""
BOM = "\ufeff"


def open_file(name: str, content: bytes) -> FileText:
    """The passages of a file.

    Raises:
        InputError: another kind of file; not UTF-8; not what its name says.
    """
    ending = PurePath(name).suffix.lower()
    if ending not in ENDINGS:
        raise InputError(f"file: only those whose names end in {', '.join(ENDINGS)}")
    try:
        return _ARCHIVES[ending](content) if ending in _ARCHIVES else _read(ending, content)
    except InputError as error:
        raise InputError(f"file: {error}") from None


def _read(ending: str, content: bytes) -> FileText:
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"byte {error.start + 1} is not UTF-8") from None
    found = _READERS[ending](text.removeprefix(BOM))
    return found.behind(BOM) if text.startswith(BOM) else found
