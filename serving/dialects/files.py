"""Files in and out of the dialects."""

import asyncio
import mimetypes
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from mt.errors import InputError
from serving.dialects.parameters import Upload
from serving.file_formats import open_file
from serving.file_formats.passages import FileText

NAME_CHARS = 200


async def uploaded(values: Mapping[str, Any], name: str | None = None) -> tuple[str, FileText]:
    """The parameter `file`, taken apart, by its own name or another.

    Raises:
        InputError: there is none, or one that cannot be translated.
    """
    file = values.get("file")
    if not isinstance(file, Upload):
        raise InputError("file: send one, as multipart/form-data")
    name = (name or file.name).replace("\\", "/").rpartition("/")[2][-NAME_CHARS:]
    return name, await asyncio.to_thread(open_file, name, file.content)


def download(name: str, content: bytes) -> Response:
    """A file to be saved, never to be shown as a page of this server."""
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, errors='replace')}",
        "X-Content-Type-Options": "nosniff",
    }
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Response(content, media_type=media_type, headers=headers)
