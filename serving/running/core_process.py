"""A core's process: steps its batch as often as it is asked to, and reads its mail between steps.

python -m serving.running.core_process SOCKET

What is in the mail is done before the next step, so that whoever leaves is gone after the one under
way. The process ends when the other end of its socket is closed, whoever closed it; signals that
are meant for a whole group of processes are the server's to act on.
"""

import contextlib
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

from mt import bundle as bundles
from mt.errors import MTError
from serving.running.cores import NOTHING, Core, Progress, local_cores
from serving.running.failures import as_ours, describe
from serving.running.garbage import spare_what_lasts
from serving.running.messages import Admit, Begin, Cancel, Message, Open, Report, Steps

SILENCE_S = 0.003  # until a step that nobody is finished by is told of: newcomers wait for that


def main() -> None:
    """Serve whoever holds the other end of the socket that is named by its number."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(EOFError, ConnectionError), Connection(int(sys.argv[1])) as mail:
        core = _open(mail)
        if core is not None:
            spare_what_lasts()
            Stepping(core, mail).run()


def _open(mail: Connection) -> Core | None:
    asked: Open = mail.recv()
    try:
        [core] = local_cores(bundles.open(asked.bundle), asked.settings, asked.continuing)
    except MTError as error:
        mail.send(error)
        return None
    mail.send(core.facts)
    return core


def _as_told(error: Exception) -> MTError:
    """What goes through the mail: without its causes, but with the place where it happened."""
    ours = as_ours(error)
    ours.__cause__ = None
    ours.add_note(describe(error))
    return ours


class Stepping:
    """One batch after the other on one core."""

    def __init__(self, core: Core, mail: Connection) -> None:
        self._core, self._mail = core, mail
        self._told_at = 0.0
        self._begin(0)

    def _begin(self, number: int) -> None:
        self._batch, self._number, self._failed = self._core.begin(), number, False
        self._asked = self._answered = 0  # steps; those that are answered and not told of yet
        self._progress = NOTHING

    def run(self) -> None:
        """Until the other end is closed.

        Raises:
            EOFError, ConnectionError: it is.
        """
        while True:
            while not self._asked or self._mail.poll():
                self._take(self._mail.recv())
            self._try(self._step)

    def _take(self, message: Message) -> None:
        """After a failure all that a batch does is to let go, until another begins."""
        match message:
            case Begin(number):
                self._begin(number)
            case Cancel(keys):
                self._try(lambda: self._batch.cancel(keys))
            case Admit(jobs) if not self._failed:
                self._try(lambda: self._batch.admit(jobs))
            case Steps(number) if not self._failed:
                self._asked += number

    def _step(self) -> None:
        answered = 1 if self._batch.rows else self._asked
        self._asked -= answered
        self._answered += answered
        made, past = self._batch.step(), self._progress
        self._progress = Progress(made.finished, past.steps + made.steps, past.rows + made.rows)
        now = time.monotonic()
        if made.finished or not self._asked or now - self._told_at > SILENCE_S:
            self._tell()
            self._told_at = now

    def _tell(self) -> None:
        report = Report(self._number, self._answered, self._progress, self._batch.rows)
        self._mail.send(report)
        self._answered, self._progress = 0, NOTHING

    def _try(self, work: Callable[[], None]) -> None:
        """A batch's first failure is reported, that of the connection is not its own."""
        try:
            work()
        except ConnectionError:
            raise
        except Exception as error:
            if not self._failed:
                self._failed, self._asked = True, 0
                self._mail.send(Report(self._number, problem=_as_told(error)))


if __name__ == "__main__":
    main()
