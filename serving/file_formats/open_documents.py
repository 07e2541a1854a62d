"""OpenDocument text: each paragraph and heading, spans and links inside, is a passage."""

from serving.file_formats import archives
from serving.file_formats.passages import FileText, Passage
from serving.text.markup_blocks import blocks
from serving.text.text_options import TextOptions

_PARAGRAPHS = ("text:p", "text:h", "text:line-break", "text:tab")
_XML = TextOptions(
    format="xml",
    splitting_tags=_PARAGRAPHS,
    ignore_tags=("office:annotation", "text:note", "text:tracked-changes", "text:page-number"),
    outline_detection=False,
    preserve_formatting=True,
)
_MEMBERS = ("content.xml", "styles.xml")  # headers and footers are styles


def read(content: bytes) -> FileText:
    """The passages of the text, its headers and its footers.

    Raises:
        InputError: see `serving.file_formats.archives.read`.
    """
    return archives.read(content, lambda name: _read if name in _MEMBERS else None, _XML)


def _read(text: str) -> FileText:
    pieces = blocks(text, _XML)
    return FileText(
        tuple(one if isinstance(one, str) else Passage(one.raw) for one in pieces), _XML
    )
