"""What an ONNX file says of itself, read before a runtime is given it. Knows no ONNX library.

A model is a protocol buffer; only the list of its top-level fields is walked.
"""

from collections.abc import Iterator

OUR_DOMAINS = frozenset({"", "ai.onnx", "com.microsoft"})
# A tensor kept outside its graph names the file under this key. Our graphs hold all their weights;
# a foreign one must not make us read a file that the manifest does not vouch for.
EXTERNAL_DATA = b"location"

_OPSET_IMPORT, _FUNCTIONS = 8, 25  # of ModelProto
_DOMAIN = 1  # of OperatorSetIdProto
_VARINT, _BYTES = 0, 2  # wire types
_FIXED = {1: 8, 5: 4}  # and those of so many bytes


def refusal(model: bytes) -> str | None:
    """Why this file is not given to a runtime; None: it may be."""
    if EXTERNAL_DATA in model:
        return "keeps weights outside the graph, which is not allowed"
    domains = set()
    try:
        for number, value in _fields(memoryview(model)):
            if number == _FUNCTIONS:
                return "defines operators of its own, which is not allowed"
            if number == _OPSET_IMPORT:
                domains.add(dict(_fields(value)).get(_DOMAIN, b""))
        foreign = sorted({bytes(domain).decode() for domain in domains} - OUR_DOMAINS)
    except (ValueError, IndexError):
        return "is no graph this runtime can run: it is no protocol buffer"
    return f"needs operators of {', '.join(foreign)}, which is not allowed" if foreign else None


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and bytes of each field; those of numbers are empty.

    Raises:
        ValueError, IndexError: it is no protocol buffer.
    """
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        length, wire = 0, key & 7
        if wire == _VARINT:
            _, at = _varint(data, at)
        elif wire == _BYTES:
            length, at = _varint(data, at)
        elif wire in _FIXED:
            length = _FIXED[wire]
        else:
            raise ValueError
        if at + length > len(data):
            raise ValueError
        yield key >> 3, data[at : at + length]
        at += length


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """A number, seven bits a byte from the lowest, and where it ends."""
    value = 0
    for shift in range(0, 64, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError
