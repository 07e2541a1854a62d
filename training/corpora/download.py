"""Downloading a file whose size and sha256 are known: resumed when it breaks, verified before use.

Bytes go to `<name>.part`; only a file that matches is renamed to its name, so whatever carries
the name is whole. Every request that brought new bytes renews the patience.
"""

import fcntl
import hashlib
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import cast

from tqdm import tqdm

from mt.errors import CorpusError

CHUNK_BYTES = 1 << 16
RETRIED_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Patience:
    """How long to bear with a server."""

    timeout_s: float = 30.0  # of silence
    attempts: int = 5  # in a row without a new byte
    backoff_s: float = 1.0  # before the second attempt, doubled before each later one


class _BrokenError(Exception):
    """The transfer stopped for a reason that may pass; what came so far may have to go."""

    def __init__(self, why: str, start_over: bool = False) -> None:
        super().__init__(why)
        self.start_over = start_over


def fetch(
    address: str, path: Path, size: int, sha256: str, patience: Patience | None = None
) -> None:
    """Make sure that `path` holds the file published at an address, downloading what is missing.

    Raises:
        CorpusError: it cannot be had, is not what was pinned, or cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path.with_name(f"{path.name}.lock")):
            if not (path.is_file() and matches(path, size, sha256)):
                _download(address, path, size, sha256, patience or Patience())
    except OSError as error:
        raise CorpusError(
            f"{path} cannot be written ({error.strerror or error}); "
            "make room, or set SEQ2SERVE_CACHE to another folder"
        ) from None


def matches(path: Path, size: int, sha256: str) -> bool:
    """Whether a file has this size and hexadecimal sha256."""
    return path.stat().st_size == size and hash_file(path) == sha256


def hash_file(path: Path) -> str:
    """Hexadecimal sha256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Two runs that want the same file: the second waits and finds it there."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _download(address: str, path: Path, size: int, sha256: str, patience: Patience) -> None:
    part = path.with_name(f"{path.name}.part")
    if part.exists() and part.stat().st_size > size:
        part.unlink()
    _complete(address, part, size, patience)
    if not matches(part, size, sha256):
        part.unlink()
        raise CorpusError(
            f"{address}: wrong checksum (sha256 differs from the pinned one); what came was removed"
        )
    part.replace(path)


def _complete(address: str, part: Path, size: int, patience: Patience) -> None:
    """Request the missing rest until the part has its full size."""
    best, failures = _length(part), 0
    with tqdm(
        desc=part.stem, total=size, unit="B", unit_scale=True, leave=False, disable=None
    ) as bar:
        while _length(part) < size:
            try:
                _transfer(address, part, size, patience.timeout_s, bar)
                problem = "the server closed the connection too early"
            except _BrokenError as broken:
                problem = str(broken)
                if broken.start_over:
                    part.unlink(missing_ok=True)
            if _length(part) >= size:
                break
            failures = 0 if _length(part) > best else failures + 1
            best = max(best, _length(part))
            if failures >= patience.attempts:
                raise CorpusError(
                    f"{address}: {problem}; {_length(part)} of {size} bytes arrived and are kept, "
                    "try again later, or set SEQ2SERVE_DATA to a folder that holds the file"
                )
            time.sleep(patience.backoff_s * 2 ** max(0, failures - 1))


def _transfer(address: str, part: Path, size: int, timeout_s: float, bar: "tqdm[None]") -> None:
    """One request: append to the part what it lacks, or write it anew if the server sends all."""
    start = _length(part)
    with _request(address, start, timeout_s) as response:
        start = _first_byte(response, start, address, size)
        bar.reset()
        bar.update(start)
        with part.open("r+b" if start else "wb") as out:
            out.seek(start)
            for chunk in _chunks(response):
                out.write(chunk)
                bar.update(len(chunk))
                if out.tell() > size:
                    break
    if _length(part) > size:
        part.unlink()
        raise CorpusError(f"{address}: longer than the pinned {size} bytes; what came was removed")


def _first_byte(response: HTTPResponse, start: int, address: str, size: int) -> int:
    """Where the body of an answer begins in the file: `start` if the server resumes, else 0."""
    if response.status == 206:
        if response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            return start
        raise _BrokenError("the server resumes at the wrong byte", start_over=True)
    announced = response.headers.get("Content-Length")
    if announced is not None and announced != str(size):
        raise CorpusError(
            f"{address}: has {announced} bytes now, not the pinned {size}; it was replaced since"
        )
    return 0


def _request(address: str, start: int, timeout_s: float) -> HTTPResponse:
    """Ask for the bytes from `start` on.

    Raises:
        _BrokenError: it may work later.
        CorpusError: it will not.
    """
    if not address.startswith(("https://", "http://")):
        raise CorpusError(f"{address}: only http and https addresses can be downloaded")
    headers = {"User-Agent": "seq2serve", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    request = urllib.request.Request(address, headers=headers)
    try:
        response = urllib.request.urlopen(request, timeout=timeout_s)  # nosec B310 # scheme checked above
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:
            raise _BrokenError("the server refuses to resume", start_over=True) from None
        if error.code in RETRIED_STATUS:
            raise _BrokenError(f"the server answers {error.code} {error.reason}") from None
        raise CorpusError(f"{address}: the server answers {error.code} {error.reason}") from None
    except TimeoutError:
        raise _BrokenError(f"no answer within {timeout_s:g} s") from None
    except urllib.error.URLError as error:
        timed_out = isinstance(error.reason, TimeoutError)
        why = f"no answer within {timeout_s:g} s" if timed_out else f"not reached ({error.reason})"
        raise _BrokenError(why) from None
    except (OSError, HTTPException) as error:
        raise _BrokenError(f"broken off ({type(error).__name__})") from None
    return cast(HTTPResponse, response)


def _chunks(response: HTTPResponse) -> Iterator[bytes]:
    try:
        while chunk := response.read1(CHUNK_BYTES):
            yield chunk
    except TimeoutError:
        raise _BrokenError("the server fell silent") from None
    except (OSError, HTTPException) as error:
        raise _BrokenError(f"broken off ({type(error).__name__})") from None


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
