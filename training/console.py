"""What a person sees of a long step: a bar on a terminal, a line now and then in a log file."""

import sys
import time
from collections.abc import Callable
from types import TracebackType

from tqdm import tqdm

_LINE_EVERY_S = 30.0
_DUE_EVERY_S = 1.0


def say(text: str) -> None:
    """One line on standard error; a running bar stays whole."""
    tqdm.write(text, file=sys.stderr)


class Progress:
    """Progress of one long step, with the time left; `share` is what is done already (0-1)."""

    def __init__(self, title: str, share: float = 0.0) -> None:
        self._title, self._first_share = title, share
        self._started = self._last_line = self._last_due = time.monotonic()
        self._bar = tqdm(
            total=1.0,
            initial=share,
            desc=title,
            bar_format="{desc} |{bar:20}| {percentage:3.0f}%{postfix}",
            disable=not sys.stderr.isatty(),
            file=sys.stderr,
            leave=False,
        )

    def is_due(self) -> bool:
        """Whether a second went by since this last said yes: what a caller must wait for is worth
        it no more often.
        """
        now = time.monotonic()
        due = now - self._last_due >= _DUE_EVERY_S
        self._last_due = now if due else self._last_due
        return due

    def update(self, share: float, text: str = "") -> None:
        """So much of the step is done (0-1); `text` says more about it."""
        facts = ", ".join(filter(None, [text, self._time_left(share)]))
        if not self._bar.disable:
            self._bar.set_postfix_str(facts, refresh=False)
            self._bar.update(max(share - self._bar.n, 0.0))
        elif time.monotonic() - self._last_line >= _LINE_EVERY_S:
            self._last_line = time.monotonic()
            say(f"{self._title} {share:4.0%}, {facts}")

    def counter(self, total: int, done: int = 0) -> Callable[[int], None]:
        """What is to be told how many more sentences of `total` are done, `done` of them before."""

        def count(more: int) -> None:
            nonlocal done
            done += more
            self.update(done / total, f"{done:,} of {total:,} sentences")

        return count

    def _time_left(self, share: float) -> str:
        done = share - self._first_share
        if done <= 0:
            return ""
        return f"{clock((time.monotonic() - self._started) * (1 - share) / done)} left"

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._bar.close()


def clock(seconds: float) -> str:
    """Seconds as m:ss or h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
