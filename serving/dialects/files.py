"""Files in and out of the dialects."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from mt.errors import InputError
from serving import documents
from serving.dialects.parameters import Upload

NAME_CHARS = 200


@dataclass(frozen=True)
class TextFile:
    """A file that can be translated."""

    name: str
    text: str


def uploaded(values: Mapping[str, Any], name: str | None = None) -> TextFile:
    """The parameter `file`, by its own name or another.

    Raises:
        InputError: there is none, or one that is not translated here.
    """
    file = values.get("file")
    if not isinstance(file, Upload):
        raise InputError("file: send one, as multipart/form-data")
    name = (name or file.name).replace("\\", "/").rpartition("/")[2][-NAME_CHARS:]
    documents.check_name(name)
    return TextFile(name, documents.decode(file.content))


def download(name: str, content: bytes) -> Response:
    """A file to be saved, never to be shown as a page of this server."""
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, errors='replace')}",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(content, media_type="text/plain; charset=utf-8", headers=headers)
