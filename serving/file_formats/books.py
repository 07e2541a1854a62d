"""EPUB: the pages of a book and its table of contents, each block of running text a passage."""

from serving.file_formats import archives, web_pages
from serving.file_formats.passages import FileText

_PAGES = (".xhtml", ".html", ".htm", ".ncx")


def read(content: bytes) -> FileText:
    """The passages of all pages.

    Raises:
        InputError: see `serving.file_formats.archives.read`.
    """
    return archives.read(content, _reader_of, web_pages.HTML)


def _reader_of(name: str) -> archives.Reader | None:
    return web_pages.read if name.lower().endswith(_PAGES) else None
