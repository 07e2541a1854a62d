"""HTML and XHTML: each block of running text, inline tags included, is a passage."""

from serving.file_formats.passages import FileText, Passage
from serving.text.markup_blocks import Block, blocks
from serving.text.text_options import TextOptions

HTML = TextOptions(format="html", preserve_formatting=True)
_PRE = "<pre>", "</pre>"


def read(text: str) -> FileText:
    """Blocks as `serving.text.markup_blocks` finds them."""
    return FileText(tuple(map(_piece, blocks(text, HTML))), HTML)


def _piece(found: str | Block) -> str | Passage:
    if isinstance(found, str):
        return found
    if not found.preformatted:
        return Passage(found.raw)
    before, after = _PRE
    return Passage(
        f"{before}{found.raw}{after}",
        lambda translation: translation.removeprefix(before).removesuffix(after),
    )
