"""What the disk refuses, as an error that names the path."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mt.errors import ConfigError, MTError


@contextmanager
def writing(path: Path, error: type[MTError] = ConfigError) -> Iterator[None]:
    """A context that writes a file or folder.

    Raises:
        MTError: of the given class, in place of an OSError; names `path` and the reason.
    """
    try:
        yield
    except OSError as refused:
        raise error(f"{path} cannot be written ({refused.strerror})") from None
