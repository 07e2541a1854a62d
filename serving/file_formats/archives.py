"""Documents that are zip archives: what may be opened, and how it is packed again.

Members that hold no text come back byte for byte, in their order. Refused are archives that grow
beyond measure when they are unpacked, hold paths that lead out of them, or are encrypted.
"""

import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from mt.errors import InputError
from serving.file_formats.passages import FileText, Passage
from serving.text.text_options import TextOptions

MOST_MEMBERS = 10_000
MOST_BYTES = 64 * 1024 * 1024  # of all members, unpacked
MOST_TEXT_BYTES = 16 * 1024 * 1024  # of one member that is read as text
Reader = Callable[[str], FileText]


@dataclass(frozen=True)
class _Member:
    """A member as it was, and in how many pieces it was taken apart: none, where it has no text."""

    info: zipfile.ZipInfo
    content: bytes
    pieces: int


def read(
    content: bytes, reader_of: Callable[[str], Reader | None], options: TextOptions
) -> FileText:
    """The passages of all members that `reader_of` has a reader for, by their names.

    Raises:
        InputError: not a zip archive, or one that is not safe to open; text that cannot be read.
    """
    members: list[_Member] = []
    pieces: list[str | Passage] = []
    for info, data in _opened(content):
        reader = reader_of(info.filename)
        found = () if reader is None else reader(_text(info, data)).pieces
        members.append(_Member(info, data, len(found)))
        pieces += found
    return FileText(tuple(pieces), options, lambda written: _packed(members, written))


def _opened(content: bytes) -> Iterator[tuple[zipfile.ZipInfo, bytes]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            infos = archive.infolist()
            _check(infos)
            room = MOST_BYTES
            for info in infos:
                with archive.open(info) as member:
                    data = member.read(room + 1)  # sizes that are told may be lies
                room -= len(data)
                if room < 0:
                    raise InputError(_TOO_LARGE)
                yield info, data
    except _BROKEN as error:
        raise InputError(f"not a whole zip archive ({type(error).__name__})") from None


_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, NotImplementedError),
    *(EOFError, OSError, ValueError, RuntimeError),
)
_TOO_LARGE = f"unpacked it is larger than {MOST_BYTES} bytes"


def _check(infos: Sequence[zipfile.ZipInfo]) -> None:
    if len(infos) > MOST_MEMBERS:
        raise InputError(f"{len(infos)} members, at most {MOST_MEMBERS}")
    if sum(info.file_size for info in infos) > MOST_BYTES:
        raise InputError(_TOO_LARGE)
    if len({info.filename for info in infos}) < len(infos):
        raise InputError("two members of the archive have one name")
    for number, info in enumerate(infos, start=1):
        path = PurePosixPath(info.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in info.filename:
            raise InputError(f"member {number} of the archive has a path that leads out of it")
        if info.flag_bits & 1:
            raise InputError("the archive is encrypted")


def _text(info: zipfile.ZipInfo, data: bytes) -> str:
    if len(data) > MOST_TEXT_BYTES:
        raise InputError(f"a member of {len(data)} bytes, at most {MOST_TEXT_BYTES} can be read")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{PurePosixPath(info.filename).name} is not UTF-8") from None


def _packed(members: Sequence[_Member], written: Sequence[str]) -> bytes:
    packed, at = io.BytesIO(), 0
    with zipfile.ZipFile(packed, "w") as archive:
        for member in members:
            end = at + member.pieces
            text = "".join(written[at:end]).encode()
            archive.writestr(member.info, text if member.pieces else member.content)
            at = end
    return packed.getvalue()
