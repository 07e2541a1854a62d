"""What was found out before is read again, not worked out again: a file for each finding."""

import hashlib
import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from mt.config import Strict
from training.durable_files import write_file

Kept = TypeVar("Kept", bound=Strict)


def remembered(memory: Path, kind: type[Kept], find: Callable[[], Kept], *hangs_on: Any) -> Kept:  # noqa: ANN401 - JSON
    """What was found out before from the same things, or else now.

    `hangs_on` is all that the finding depends on, as JSON; sacreBLEU's version is added.

    Raises:
        CheckpointError: the disk refuses.
    """
    facts = json.dumps([kind.__name__, version("sacrebleu"), *hangs_on])
    file = memory / f"{hashlib.sha256(facts.encode()).hexdigest()[:32]}.json"
    try:
        return kind.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        found = find()
    write_file(file, found.model_dump_json().encode())
    return found
