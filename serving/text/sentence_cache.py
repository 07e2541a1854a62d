"""The same sentence is searched once: while that runs, and for as long as its answer is kept.

One cache belongs to one engine, so that a key needs neither the model nor the revision of its
bundle: a search depends on the ids of its source and on its options, and on nothing else.
"""

import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial

from mt.errors import DeadlineError, MTError
from mt.hypothesis import Hypothesis
from mt.search_options import SearchOptions
from serving.engine import Engine
from serving.settings import EngineSettings

Found = Future[list[Hypothesis]]
_Key = tuple[tuple[int, ...], SearchOptions]
_BYTES_OF_TOKEN = 150  # an id, a log-probability and their places in lists
_BYTES_OF_ENTRY = 1_500  # everything else


@dataclass(frozen=True)
class CacheStats:
    """Sentences since the start: found finished, found under way, searched; and what is kept."""

    finished_hits: int = 0
    in_flight_hits: int = 0
    misses: int = 0
    kept: int = 0
    kept_bytes: int = 0


@dataclass(eq=False)
class _Waiter:
    """One caller's own future, so that none of them can cancel another's search."""

    deadline: float
    future: Found = field(default_factory=Future)


@dataclass(eq=False)
class _Flight:
    """One search under way, and everyone who waits for it."""

    key: _Key
    search: Found
    deadline: float
    waiters: list[_Waiter] = field(default_factory=list)


class SentenceCache:
    """Stands before an engine and is asked as it is. Any thread may call."""

    def __init__(self, engine: Engine, max_bytes: int) -> None:
        """Keep about `max_bytes` of answers; those not asked for the longest leave first."""
        self._engine = engine
        self._max_bytes = max_bytes
        self._lock = threading.RLock()  # guards everything below
        self._flights: dict[_Key, _Flight] = {}
        self._kept: OrderedDict[_Key, tuple[list[Hypothesis], int]] = OrderedDict()
        self._kept_bytes = 0
        self._finished_hits = self._in_flight_hits = self._misses = 0

    @property
    def settings(self) -> EngineSettings:
        """The engine's."""
        return self._engine.settings

    def submit(
        self,
        src_ids: Sequence[int],
        options: SearchOptions,
        deadline: float | None = None,
        block: bool = False,
    ) -> Found:
        """As `Engine.submit`."""
        return self.submit_many([src_ids], options, deadline, block)[0]

    def submit_many(
        self,
        sources: Sequence[Sequence[int]],
        options: SearchOptions,
        deadline: float | None = None,
        block: bool = False,
    ) -> list[Found]:
        """As `Engine.submit_many`; only what is neither kept nor under way needs room there.

        Whoever blocks is passed on: they read files, and would only push out what others ask for.
        """
        if block:
            return self._engine.submit_many(sources, options, deadline, block)
        latest = math.inf if deadline is None else deadline
        keys: list[_Key] = [(tuple(source), options) for source in sources]
        with self._lock:  # the engine's callbacks, which take it too, never hold the engine's own
            new = [
                key
                for key in dict.fromkeys(keys)
                if key not in self._kept and key not in self._flights
            ]
            searches = self._engine.submit_many([list(ids) for ids, _ in new], options, deadline)
            for key, search in zip(new, searches, strict=True):
                self._flights[key] = _Flight(key, search, latest)
            self._misses += len(new)
            self._in_flight_hits += sum(key in self._flights for key in keys) - len(new)
            futures = [self._answer(key, latest) for key in keys]
            flights = [self._flights[key] for key in new]
        for flight, search in zip(flights, searches, strict=True):
            search.add_done_callback(partial(self._land, flight))
        return futures

    def stats(self) -> CacheStats:
        """A consistent picture of this moment."""
        with self._lock:
            return CacheStats(
                self._finished_hits,
                self._in_flight_hits,
                self._misses,
                len(self._kept),
                self._kept_bytes,
            )

    def _answer(self, key: _Key, deadline: float) -> Found:
        """What is kept, or what will be found."""
        waiter = _Waiter(deadline)
        if key in self._kept:
            self._finished_hits += 1
            self._kept.move_to_end(key)
            waiter.future.set_result(list(self._kept[key][0]))
        else:
            flight = self._flights[key]
            flight.waiters.append(waiter)
            waiter.future.add_done_callback(lambda done: self._leave(flight, waiter, done))
        return waiter.future

    def _leave(self, flight: _Flight, waiter: _Waiter, done: Found) -> None:
        """Where the last one cancels, the search is cancelled too and frees its rows."""
        if not done.cancelled():
            return
        with self._lock:
            if waiter in flight.waiters:
                flight.waiters.remove(waiter)
            if flight.waiters or self._flights.get(flight.key) is not flight:
                return
            del self._flights[flight.key]
        flight.search.cancel()

    def _land(self, flight: _Flight, done: Found) -> None:
        """Tell everyone; where the time of the first ran out, go on for those who have more."""
        if done.cancelled():
            return
        error = done.exception()
        with self._lock:
            told, flight.waiters = flight.waiters, []
            if isinstance(error, DeadlineError):
                flight.waiters = [one for one in told if one.deadline > flight.deadline]
                told = [one for one in told if one not in flight.waiters]
            if not flight.waiters or not self._restarted(flight):
                told += flight.waiters
                self._flights.pop(flight.key, None)
            if error is None:
                self._keep(flight.key, done.result())
        for waiter in told:
            if not waiter.future.set_running_or_notify_cancel():
                continue
            if error is None:
                waiter.future.set_result(list(done.result()))
            else:
                waiter.future.set_exception(error)

    def _restarted(self, flight: _Flight) -> bool:
        ids, options = flight.key
        latest = max(waiter.deadline for waiter in flight.waiters)
        try:
            search = self._engine.submit(list(ids), options, None if latest == math.inf else latest)
        except MTError:
            return False
        flight.search, flight.deadline = search, latest
        search.add_done_callback(partial(self._land, flight))
        return True

    def _keep(self, key: _Key, found: list[Hypothesis]) -> None:
        size = _size(key, found)
        if size > self._max_bytes:
            return
        self._kept[key] = found, size
        self._kept_bytes += size
        while self._kept_bytes > self._max_bytes:
            _, (_, gone) = self._kept.popitem(last=False)
            self._kept_bytes -= gone


def _size(key: _Key, found: Sequence[Hypothesis]) -> int:
    """About how many bytes an answer takes."""
    tokens = len(key[0]) + sum(len(one.ids) for one in found)
    attention = sum(one.attention.nbytes for one in found if one.attention is not None)
    return _BYTES_OF_ENTRY * (1 + len(found)) + _BYTES_OF_TOKEN * tokens + attention
