"""Translation Memory eXchange 1.4, to and from the memory; read as a stream, of any size."""

from collections.abc import Iterable, Iterator
from typing import BinaryIO, TextIO
from xml.sax.saxutils import escape, quoteattr  # nosec B406 # they write

from mt.bilingual_files import tmx
from serving.stores.memory_store import Pair

_CHUNK = 1 << 16
_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<tmx version="1.4">
<header creationtool="seq2serve" creationtoolversion="1" segtype="sentence" o-tmf="seq2serve"
 adminlang="en" srclang="*all*" datatype="plaintext"/>
<body>
"""


def read(file: BinaryIO, source: str | None = None, target: str | None = None) -> Iterator[Pair]:
    """The pairs of a file, in its order.

    source: the language translated from; None: as the unit or the header says, else the unit's
    first. target: the language wanted; None: every other one. `en` also means `en-US`.

    Raises:
        InputError: not TMX, or one that declares entities; names the line.
    """
    chunks = iter(lambda: file.read(_CHUNK), b"")
    return (Pair(*one) for one in tmx.read(chunks, source, target))


def write(pairs: Iterable[Pair], file: TextIO) -> int:
    """Write pairs as units of two languages; returns how many."""
    file.write(_HEAD)
    written = 0
    for pair in pairs:
        sides = ((pair.source, pair.text), (pair.target, pair.translation))
        variants = "".join(
            f"<tuv xml:lang={quoteattr(code)}><seg>{escape(text)}</seg></tuv>"
            for code, text in sides
        )
        file.write(f"<tu srclang={quoteattr(pair.source)}>{variants}</tu>\n")
        written += 1
    file.write("</body>\n</tmx>\n")
    return written
