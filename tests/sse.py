"""Server-sent events read back, as a browser would."""

import json
from collections.abc import Iterable
from typing import Any


def parse(body: str) -> list[tuple[str, Any]]:
    """Name and data of every event of a whole stream; comments are passed over."""
    return [_event(block) for block in body.split("\n\n") if "data: " in block]


def joined(events: Iterable[tuple[str, Any]], texts: int) -> list[str]:
    """The translations that the pieces of a stream make."""
    found = [""] * texts
    for name, data in events:
        if name == "sentence":
            found[data["item"]] += data["before"] + data["text"] + data["after"]
    return found


def _event(block: str) -> tuple[str, Any]:
    fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
    return fields["event"], json.loads(fields["data"])
