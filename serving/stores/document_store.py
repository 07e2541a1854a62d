"""Translated files between upload and download: on disk, so that every replica finds them."""

import json
import os
import re
import secrets
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from mt.errors import EngineError

_ID = re.compile(r"[0-9a-f]{32}")
_BEGUN = "seq2serve-"
_OURS = re.compile(rf"[0-9a-f]{{32}}\.\w+|{_BEGUN}\w+")


@dataclass(frozen=True)
class Document:
    """What is known of one file. `key` is what its owner must show beside the id, if anything.

    name: for the download; progress: how much of it is translated, 0 to 1; problem: why the status
    is an error, in words without the text.
    """

    document_id: str
    name: str
    key: str = ""
    status: Literal["queued", "translating", "done", "error"] = "queued"
    characters: int = 0
    problem: str = ""
    progress: float = 0.0


class DocumentStore:
    """A folder only this user can read. Files live `keep_s` seconds, or until their writer stops.

    Any process may read what another one wrote; each file is replaced as a whole.
    """

    def __init__(self, folder: str | None, keep_s: float) -> None:
        self._folder = Path(folder) if folder else _default_folder()
        self._must_be_private = folder is None
        self._keep_s = keep_s
        self._own: set[str] = set()

    def add(self, name: str, characters: int = 0, key: str = "") -> Document:
        """A new document, with an id that nobody can guess.

        Raises:
            EngineError: the folder among the temporary files is somebody else's.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._must_be_private and not _is_private(self._folder):
            raise EngineError("the folder for files is open to others; set documents.folder")
        self._remove_old()
        document = Document(secrets.token_hex(16), name, key, characters=characters)
        self._own.add(document.document_id)
        self.update(document)
        return document

    def update(self, document: Document) -> None:
        """Note a change."""
        self._write(self._facts(document.document_id), json.dumps(asdict(document)).encode())

    def finish(self, document: Document, content: bytes) -> None:
        """Keep the translated file for its download."""
        self._write(self._content(document.document_id), content)
        self.update(replace(document, status="done", progress=1.0))

    def find(self, document_id: str) -> Document | None:
        """The document of an id, unless there is none (any more)."""
        if not _ID.fullmatch(document_id):
            return None
        try:
            return Document(**json.loads(self._facts(document_id).read_bytes()))
        except FileNotFoundError:
            return None

    def read(self, document: Document) -> bytes | None:
        """The translated file, unless it is gone."""
        try:
            return self._content(document.document_id).read_bytes()
        except FileNotFoundError:
            return None

    def take(self, document: Document) -> bytes | None:
        """The translated file, for the one who asks first; then it is gone."""
        content = self._content(document.document_id)
        taken = content.with_suffix(f".{secrets.token_hex(4)}")
        try:
            content.rename(taken)
        except FileNotFoundError:
            return None
        found = taken.read_bytes()
        self.remove(document.document_id)
        taken.unlink()
        return found

    def remove(self, document_id: str) -> None:
        """Forget a document."""
        for path in (self._facts(document_id), self._content(document_id)):
            path.unlink(missing_ok=True)
        self._own.discard(document_id)

    def close(self) -> None:
        """Forget what this process wrote."""
        for document_id in list(self._own):
            self.remove(document_id)
        with suppress(OSError):  # not made, or others' files are in it
            self._folder.rmdir()

    def _facts(self, document_id: str) -> Path:
        return self._folder / f"{document_id}.json"

    def _content(self, document_id: str) -> Path:
        return self._folder / f"{document_id}.content"

    def _write(self, path: Path, content: bytes) -> None:
        descriptor, name = tempfile.mkstemp(prefix=_BEGUN, dir=self._folder)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(name).replace(path)

    def _remove_old(self) -> None:
        oldest = time.time() - self._keep_s
        for path in self._folder.iterdir():
            with suppress(FileNotFoundError):  # another process was faster
                if _OURS.fullmatch(path.name) and path.stat().st_mtime < oldest:
                    path.unlink()


def _is_private(folder: Path) -> bool:
    """Not made by another user, who may have known its name, nor readable by one."""
    found = folder.stat()
    return found.st_uid == os.getuid() and not found.st_mode & 0o077


def _default_folder() -> Path:
    """One for all servers of this user on this machine."""
    return Path(tempfile.gettempdir()) / f"seq2serve-documents-{os.getuid()}"
