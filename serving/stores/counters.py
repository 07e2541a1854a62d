"""Counting requests and characters over all replicas, for the windows of the `limits` library.

`limits` has its strategies and its Redis, but nothing for several processes of one machine without
a server, so here is its storage in SQLite. Where the counters cannot be reached, callers are served
all the same and each process counts for itself until they can: who is let in is decided by the
keys, which fail closed; a limit that is too generous for a while costs less than an outage.
"""

import sqlite3
import time
from collections.abc import Callable
from math import floor
from pathlib import Path
from typing import Protocol, TypeVar, cast

from limits.errors import ConfigurationError, StorageError
from limits.storage import (
    MemoryStorage,
    RedisStorage,
    SlidingWindowCounterSupport,
    Storage,
    storage_from_string,
)

from mt import log
from mt.errors import ConfigError, MTError
from serving.stores.database import Database

FILE_NAME = "usage.sqlite"
ANSWER_S = 2.0  # until counters on another machine count as failed
RETRY_S = 5.0  # between two tries to reach counters that failed; each may cost a timeout

Result = TypeVar("Result")
_MIGRATIONS = (
    (
        """CREATE TABLE counter (
            name TEXT PRIMARY KEY, value INTEGER NOT NULL, expires REAL NOT NULL
        ) STRICT, WITHOUT ROWID""",
        "CREATE INDEX counter_expires ON counter (expires)",
    ),
)
_INCREASE = """
    INSERT INTO counter VALUES (:name, :amount, :now + :expiry)
    ON CONFLICT (name) DO UPDATE SET
        value = iif(expires > :now, value, 0) + :amount,
        expires = iif(expires > :now, expires, :now + :expiry)
    RETURNING value
"""


class Counters(Protocol):
    """What is asked of a storage of `limits`."""

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a counter that forgets itself after `expiry` seconds, and tell its value."""

    def get(self, key: str) -> int:
        """The value of a counter."""

    def acquire_sliding_window_entry(
        self, key: str, limit: int, expiry: int, amount: int = 1
    ) -> bool:
        """Add to a window, unless that would exceed its limit."""

    def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Count and seconds to live of the previous and of the current window."""


class SqliteStorage(Storage, SlidingWindowCounterSupport):
    """Counters in one SQLite file, exact whatever many processes do at once.

    A window that slides is weighed from two that stand: what was counted in the window before
    still counts by the part of it that lies less than `expiry` seconds back.
    """

    STORAGE_SCHEME: list[str] | None = None  # not by address

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        """Raises: ConfigError: the file cannot be used."""
        super().__init__()
        self._database = Database(path, _MIGRATIONS, busy_timeout_s=2.0, synchronous="NORMAL")
        self._clock = clock

    @property
    def base_exceptions(self) -> type[Exception]:
        """What may go wrong."""
        return MTError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """As `Counters.incr`."""
        with self._database.writing() as connection:
            return self._increase(connection, key, expiry, amount)

    def get(self, key: str) -> int:
        """As `Counters.get`."""
        with self._database.reading() as connection:
            return self._value(connection, key)

    def get_expiry(self, key: str) -> float:
        """When a counter forgets itself, in seconds since 1970."""
        with self._database.reading() as connection:
            sql = "SELECT expires FROM counter WHERE name = ?"
            row = connection.execute(sql, (key,)).fetchone()
        return float(row["expires"]) if row else self._clock()

    def check(self) -> bool:
        """Whether the file can be read."""
        self.get("")
        return True

    def reset(self) -> int:
        """Forget everything; tell how many counters there were."""
        with self._database.writing() as connection:
            return connection.execute("DELETE FROM counter").rowcount

    def clear(self, key: str) -> None:
        """Forget one counter."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM counter WHERE name = ?", (key,))

    def acquire_sliding_window_entry(
        self, key: str, limit: int, expiry: int, amount: int = 1
    ) -> bool:
        """As `Counters.acquire_sliding_window_entry`."""
        with self._database.writing() as connection:
            previous, previous_s, current, _ = self._windows(connection, key, expiry)
            if floor(previous * previous_s / expiry + current) + amount > limit:
                return False
            connection.execute("DELETE FROM counter WHERE expires <= ?", (self._clock(),))
            self._increase(connection, self._name(key, expiry), 2 * expiry, amount)
            return True

    def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """As `Counters.get_sliding_window`."""
        with self._database.reading() as connection:
            return self._windows(connection, key, expiry)

    def clear_sliding_window(self, key: str, expiry: int) -> None:
        """Forget one window."""
        for back in (0, 1):
            self.clear(self._name(key, expiry, back))

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _windows(
        self, connection: sqlite3.Connection, key: str, expiry: int
    ) -> tuple[int, float, int, float]:
        previous = self._value(connection, self._name(key, expiry, back=1))
        current = self._value(connection, self._name(key, expiry))
        left_s = expiry - self._clock() % expiry
        return previous, left_s if previous else 0.0, current, left_s + expiry

    def _name(self, key: str, expiry: int, back: int = 0) -> str:
        return f"{key}/{int(self._clock() // expiry) - back}"

    def _value(self, connection: sqlite3.Connection, name: str) -> int:
        sql = "SELECT value FROM counter WHERE name = ? AND expires > ?"
        row = connection.execute(sql, (name, self._clock())).fetchone()
        return int(row["value"]) if row else 0

    def _increase(self, connection: sqlite3.Connection, name: str, expiry: int, amount: int) -> int:
        given = {"name": name, "amount": amount, "expiry": expiry, "now": self._clock()}
        return int(connection.execute(_INCREASE, given).fetchone()["value"])


class Failover:
    """Counters that all replicas share while they can be reached, else counters of this process."""

    def __init__(self, shared: Counters, clock: Callable[[], float] = time.monotonic) -> None:
        self._shared = shared
        self._own: Counters = MemoryStorage()
        self._clock = clock
        self._retry_at = 0.0

    def ask(self, question: Callable[[Counters], Result]) -> Result:
        """An answer of the counters that can be reached."""
        if self._clock() >= self._retry_at:
            try:
                answer = question(self._shared)
            except (MTError, StorageError):
                self._retry_at = self._clock() + RETRY_S
                log.event("counters_unreachable", retry_s=RETRY_S)
            else:
                return answer
        return question(self._own)

    def close(self) -> None:
        """Close the file, or the connections, where there are any."""
        if isinstance(self._shared, SqliteStorage):
            self._shared.close()
        elif isinstance(self._shared, RedisStorage):
            self._shared.storage.close()


def open_counters(data_dir: Path | None, address: str | None) -> Failover:
    """The counters at an address, else those of a folder, else those of this process alone.

    Raises:
        ConfigError: the address or the folder cannot be used.
    """
    if address is not None:
        return Failover(_at(address))
    return Failover(SqliteStorage(data_dir / FILE_NAME) if data_dir else MemoryStorage())


def _patience(address: str) -> dict[str, float]:
    """Without these a Redis that accepts connections and says nothing would hold requests up."""
    if not address.startswith(("redis", "valkey")):
        return {}
    return {"socket_connect_timeout": ANSWER_S, "socket_timeout": ANSWER_S}


def _at(address: str) -> Counters:
    try:
        storage = storage_from_string(address, wrap_exceptions=True, **_patience(address))
    except (ConfigurationError, ValueError):  # neither is repeated: the address holds a password
        advice = "write redis://host:port, and pip install 'seq2serve[redis]'"
        raise ConfigError(f"keys.counters cannot be used: {advice}") from None
    if not isinstance(storage, SlidingWindowCounterSupport):
        raise ConfigError("keys.counters: this kind of store has no sliding windows; use redis://")
    return cast(Counters, storage)
