"""SQLite files of one store each: what several threads, processes and crashes leave whole.

A store (keys, glossaries, memory) has its own file in `data_dir`, so that it owns its tables, its
version and its write lock:

    MIGRATIONS = (("CREATE TABLE word (text TEXT PRIMARY KEY)",), ("ALTER TABLE word ADD ...",))
    database = Database(data_dir / "words.sqlite", MIGRATIONS)
    with database.writing() as connection:
        connection.execute("INSERT INTO word VALUES (?)", (text,))

Write-ahead logging lets readers go on while one writes; whoever dies half way has written nothing.
Connections are pooled rather than bound to threads, since threads of a server come and go: each is
one thread's for as long as it is out.
"""

import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Literal

from mt.errors import ConfigError, EngineError, MTError, UnavailableError

Migrations = Sequence[Sequence[str]]
"""SQL statements by version: only ever appended to, never changed."""

_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_UNWRITABLE = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}


class Database:
    """One SQLite file, made and brought to the newest schema on opening; safe in any thread.

    path: None keeps it among the temporary files, for this process only, until `close`.
    busy_timeout_s: how long a writer waits for another one.
    synchronous: FULL survives a power cut; NORMAL is faster and may then lose the last moments.
    Nothing outlives a fork: open it again in the child.

    Raises:
        ConfigError: the folder or the file cannot be used; says what to do.
    """

    def __init__(
        self,
        path: Path | None,
        migrations: Migrations,
        *,
        busy_timeout_s: float = 5.0,
        synchronous: Literal["FULL", "NORMAL"] = "FULL",
    ) -> None:
        self._own = None if path else tempfile.TemporaryDirectory(prefix="seq2serve-")
        self.path = path or Path(self._own.name if self._own else "") / "store.sqlite"
        self._busy_timeout_s = busy_timeout_s
        self._synchronous = synchronous
        self._idle: list[sqlite3.Connection] = []
        self._lock = Lock()
        self._closed = False
        self._prepare(migrations)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees one state of the file, whatever others write meanwhile.

        Raises:
            EngineError: the file is damaged.
            UnavailableError: it cannot be read now.
        """
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection that is the only writer: all of the block is kept, or nothing of it.

        Raises:
            EngineError: the file is damaged.
            UnavailableError: another writer holds it too long, or the disk does not take it.
        """
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    def close(self) -> None:
        """Close what is idle now, and the rest when it comes back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
        if self._own:
            self._own.cleanup()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        try:
            with self._connection() as connection:
                connection.execute(begin)
                try:
                    yield connection
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:  # a full disk has rolled back by itself
                        connection.execute("ROLLBACK")
                    raise
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
            raise  # the store's own business
        except sqlite3.DatabaseError as error:
            raise _failure_at_work(self.path, error) from error

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """An idle connection or a new one. One that failed is not used again."""
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        connection = connection or self._connect()
        try:
            yield connection
        except sqlite3.DatabaseError:
            connection.close()
            raise
        except BaseException:
            self._give_back(connection)
            raise
        else:
            self._give_back(connection)

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path,
            timeout=self._busy_timeout_s,
            isolation_level=None,  # transactions begin and end where this file says so
            check_same_thread=False,
        )
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        except sqlite3.DatabaseError:
            connection.close()
            raise
        return connection

    def _prepare(self, migrations: Migrations) -> None:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.touch(mode=0o600)  # private from its first byte
            with self._connection() as connection:
                self._log_ahead(connection)
                self._migrate(connection, migrations)
        except sqlite3.DatabaseError as error:
            raise ConfigError(_reason(self.path, error)) from error
        except OSError as error:
            raise ConfigError(f"cannot use {self.path}: {error.strerror}") from error

    def _log_ahead(self, connection: sqlite3.Connection) -> None:
        """Switch on write-ahead logging, which does not wait by itself for others doing the same.

        Raises:
            ConfigError: the file system cannot do it.
        """
        give_up_at = time.monotonic() + self._busy_timeout_s
        while True:
            try:
                mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
                break
            except sqlite3.OperationalError as error:
                if _code(error) not in _BUSY or time.monotonic() > give_up_at:
                    raise
                time.sleep(0.01)
        if mode != "wal":
            raise ConfigError(f"{self.path} cannot keep a write-ahead log: use a local disk")

    def _migrate(self, connection: sqlite3.Connection, migrations: Migrations) -> None:
        """Run what is missing in one transaction: of many processes that start, one does it.

        Raises:
            ConfigError: a newer program has written the file.
        """
        if _version(connection) == len(migrations):
            return  # a start writes nothing and waits for nobody
        connection.execute("BEGIN IMMEDIATE")
        try:
            self._run_missing(connection, migrations)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _run_missing(self, connection: sqlite3.Connection, migrations: Migrations) -> None:
        version = _version(connection)
        if version > len(migrations):
            raise ConfigError(
                f"{self.path} has schema {version}, this program knows {len(migrations)}: "
                "run the newer program, or set another data_dir"
            )
        for statements in migrations[version:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(migrations)}")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _code(error: sqlite3.Error) -> int:
    """The primary result code, without the extension in its upper bytes."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _reason(path: Path, error: sqlite3.Error) -> str:
    code = _code(error)
    if code in _DAMAGED:
        return f"{path} is damaged or not a database: restore a backup, or move the file away"
    if code in _UNWRITABLE:
        return f"cannot write {path}: let this user write the file and its folder"
    if code in _BUSY:
        return f"{path} is held by another process: try again, or end that process"
    if code == sqlite3.SQLITE_FULL:
        return f"no space left for {path}: free some"
    return f"cannot use {path}: {error}"


def _failure_at_work(path: Path, error: sqlite3.Error) -> MTError:
    """The same reasons once the service runs: only damage is final."""
    kind = EngineError if _code(error) in _DAMAGED else UnavailableError
    return kind(_reason(path, error))
