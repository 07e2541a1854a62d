"""Ctrl-C and SIGTERM ask for a stop; the loop ends its update, saves, and says how to go on."""

import os
import signal
import sys
import threading
from types import FrameType, TracebackType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_NOTICE = b"\nstopping: this update is finished and saved first (again: stop at once)\n"


class StopRequest:
    """Within its context, true once a signal has asked for a stop; a second signal kills."""

    def __init__(self) -> None:
        self._requested = False
        self._before: dict[signal.Signals, object] = {}

    def __bool__(self) -> bool:
        return self._requested

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._ask) for number in _SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._give_back()

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._requested = True
        self._give_back()
        os.write(sys.stderr.fileno(), _NOTICE)  # print is not safe inside a signal handler

    def _give_back(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._before = {}
