"""Server-sent events as values, from the bytes of a stream in chunks of any size."""

import json
from collections.abc import Iterator

from serving.client.answers import DetectedItem, Done, Event, Sentence, Warnings, read
from serving.client.errors import problem_error

_KINDS: dict[str, type[Event]] = {
    "sentence": Sentence,
    "detected": DetectedItem,
    "warnings": Warnings,
    "done": Done,
}


class EventReader:
    """Reads one stream. Events of kinds that it does not know are passed over."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that this chunk completes.

        Raises:
            ProblemError: the server failed midway.
        """
        *blocks, self._rest = (self._rest + chunk).split(b"\n\n")
        for block in blocks:
            if (event := self._event(block)) is not None:
                yield event

    def _event(self, block: bytes) -> Event | None:
        fields = dict(
            line.split(b": ", 1)
            for line in block.split(b"\n")
            if line[:1] != b":" and b": " in line
        )
        name, data = fields.get(b"event", b"").decode(), fields.get(b"data", b"")
        if name == "error":
            problem = json.loads(data)
            raise problem_error(int(problem.get("status", 500)), problem, "", None)
        return read(_KINDS[name], data) if name in _KINDS else None
