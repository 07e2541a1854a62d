"""A core in a process of its own, so that neither waits for the other's Python interpreter.

Whoever answers HTTP and whoever steps a model would take turns at one interpreter, thousands of
times a second. Only who runs is known on both sides; the line, deadlines and answers stay with the
engine. A process that dies takes its batch with it: the worker begins another one, which starts
another process, and runs its sentences again (see `Worker._recover`).
"""

import contextlib
import os
import socket
import subprocess  # nosec B404 # of this program itself
import sys
from collections.abc import Hashable, Iterable, Sequence
from multiprocessing.connection import Connection

from mt.beam_search import Job
from mt.bundle import Bundle
from mt.errors import MTError
from mt.phrases import Mask
from serving.running.cores import Facts, Progress
from serving.running.failures import CoreDiedError
from serving.running.messages import Admit, Begin, Cancel, Message, Open, Opened, Report, Steps
from serving.settings import EngineSettings

MODULE = "serving.running.core_process"
AHEAD = 8  # steps asked for beyond those that are told of, so that a core never waits to be asked
PATIENCE_S = 5.0  # for a process to end by itself


class ProcessCore:
    """A core's process as its worker sees it."""

    def __init__(self, order: Open) -> None:
        """Start it; `facts` waits until it is ready."""
        self._order = order
        self._begun = 0
        self._facts: Facts | None = None
        self._start()

    @property
    def facts(self) -> Facts:
        """Of the model, when it is open."""
        if self._facts is None:
            self._facts = self._opened()
        return self._facts

    def begin(self) -> "RemoteBatch":
        """An empty batch there; in a new process, where the one before has died.

        Raises:
            BundleError, ConfigError, CoreDiedError: the model cannot be opened any more.
        """
        return RemoteBatch(self)

    def clear(self) -> int:
        """Begin the next batch, in a new process where there is none; returns its number.

        Raises:
            BundleError, ConfigError, CoreDiedError: the model cannot be opened any more.
        """
        if not self.alive:
            self.close()  # what is left of it
            self._start()
            self._facts = self._opened()
        self._begun += 1
        self.send(Begin(self._begun))
        return self._begun

    @property
    def process(self) -> int:
        """Its number, which changes where it dies."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def send(self, message: Message) -> None:
        """Put into the process's mail.

        Raises:
            CoreDiedError: it has died.
        """
        try:
            self._mail.send(message)
        except (OSError, EOFError):
            raise self._death() from None

    def receive(self) -> Report:
        """Wait for what it says next; where that takes too long, it is stuck and is ended.

        Raises:
            CoreDiedError: it has died.
        """
        try:
            if not self._mail.poll(self._order.settings.heartbeat_limit_s):
                self._process.kill()
            report: Report = self._mail.recv()
        except (OSError, EOFError):
            raise self._death() from None
        return report

    def close(self) -> None:
        """Let the process end, or make it; safe to repeat."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes a thread that waits for a report
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._socket.close()

    def _start(self) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            number = theirs.fileno()
            self._process = subprocess.Popen(  # nosec B603 # no shell, nothing from outside
                [sys.executable, "-P", "-m", MODULE, str(number)],
                pass_fds=[number],
                stdin=subprocess.DEVNULL,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(one or "." for one in sys.path)},
            )
        self._mail = Connection(os.dup(self._socket.fileno()))
        self.send(self._order)

    def _opened(self) -> Facts:
        """Wait until the model is open.

        Raises:
            BundleError, ConfigError: it cannot be.
            CoreDiedError: the process died.
        """
        try:
            opened: Opened = self._mail.recv()
        except (OSError, EOFError):
            raise self._death() from None
        if isinstance(opened, MTError):
            raise opened
        return opened

    def _death(self) -> CoreDiedError:
        self.close()
        error = CoreDiedError("the model's process ended on this text; try again, or report it")
        error.add_note(f"a model's process ended with exit status {self._process.returncode}")
        return error


class RemoteBatch:
    """A batch in a core's process. It steps on while its reports are read, some steps ahead."""

    def __init__(self, core: ProcessCore) -> None:
        """Begin it."""
        self._core = core
        self._running: set[Hashable] = set()
        self._rows = 0
        self._begin()

    def _begin(self) -> None:
        self._number, self._asked = self._core.clear(), 0

    @property
    def rows(self) -> int:
        """Live rows when it last reported, and a row for each sentence that came since."""
        return self._rows if self._running else 0

    def admit(self, jobs: Sequence[Job]) -> None:
        """As `RunningBatch.admit`, whose errors the next report tells of."""
        if not self._running and not self._core.alive:
            self._begin()  # nobody ran: the newcomers are not what it died of
        self._core.send(Admit(jobs))
        self._running.update(job.key for job in jobs)
        self._rows += len(jobs)

    def cancel(self, keys: Iterable[Hashable]) -> None:
        """As `RunningBatch.cancel`, after the step that is under way."""
        if keys := self._running.intersection(keys):
            self._running -= keys
            self._core.send(Cancel(list(keys)))

    def step(self) -> Progress:
        """As `RunningBatch.step`, of as many steps as the next report tells of.

        Raises:
            MTError: what failed there, its place as a note.
        """
        if self._asked <= AHEAD // 2:
            self._core.send(Steps(AHEAD - self._asked))
            self._asked = AHEAD
        report = self._core.receive()
        while report.batch != self._number:  # of a batch that failed
            report = self._core.receive()
        self._asked -= report.answered
        self._rows = report.rows
        if report.problem is not None:
            raise report.problem
        self._running.difference_update(one.key for one in report.progress.finished)
        return report.progress


def process_cores(
    bundle: Bundle, settings: EngineSettings, continuing: Mask | None = None
) -> list[ProcessCore]:
    """One for each worker; each loads the weights for itself, all at the same time.

    Raises:
        BundleError: no such precision, no shortlist, or a graph is damaged.
        ConfigError: the runtime is not installed.
        CoreDiedError: a process died.
    """
    one = settings.model_copy(update={"workers": 1})
    order = Open(bundle.folder, one, continuing)
    cores: list[ProcessCore] = []
    try:
        cores += [ProcessCore(order) for _ in range(settings.workers)]
        for core in cores:
            _ = core.facts
    except BaseException:
        for core in cores:
            core.close()
        raise
    return cores
