"""API keys: random, shown once, kept only as hashes, in one SQLite file of all processes.

A key reads `s2s_<id>_<secret>`. The id finds the row; the secret has 256 random bits, so that one
round of SHA-256 keeps it as safe as a slow hash keeps a password. Every request reads the row anew:
a key that is revoked in one process is refused by all others at once.
"""

import hashlib
import re
import secrets
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from mt.errors import ConfigError, KeyRefusedError
from serving.settings import Allowance
from serving.stores.database import Database

Scope = Literal["translate", "documents", "glossaries", "memory", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
DEFAULT_SCOPES: tuple[Scope, ...] = ("translate", "documents", "glossaries", "memory")
FILE_NAME = "keys.sqlite"

_KEY = re.compile(r"s2s_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_NO_HASH = bytes(32)
_REFUSED = "the key is unknown, revoked or expired"
_MIGRATIONS = (
    (
        """CREATE TABLE api_key (
            id TEXT PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            hash BLOB NOT NULL,
            former_hash BLOB,
            former_until REAL,
            scopes TEXT NOT NULL,
            requests_per_minute INTEGER,
            characters_per_minute INTEGER,
            characters_per_month INTEGER,
            created REAL NOT NULL,
            expires REAL,
            revoked REAL
        ) STRICT""",
    ),
)


@dataclass(frozen=True)
class ApiKey:
    """What is kept of one key; times are seconds since 1970. The secret is not among it.

    former_until: how long the secret before the last rotation is still accepted.
    """

    key_id: str
    name: str
    scopes: frozenset[Scope]
    allowance: Allowance
    created: float
    expires: float | None = None
    revoked: float | None = None
    former_until: float | None = None

    def state(self, now: float) -> Literal["active", "expired", "revoked"]:
        """Whether it is accepted at a time, or why it is not."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= now else "active"

    def may(self, scope: Scope) -> bool:
        """Whether it opens what is behind a scope; `admin` opens everything."""
        return bool(self.scopes & {scope, "admin"})


class ApiKeys:
    """The keys of one `data_dir`; safe in any thread and process."""

    def __init__(self, data_dir: Path, clock: Callable[[], float] = time.time) -> None:
        """Raises: ConfigError: the file cannot be used."""
        self._database = Database(data_dir / FILE_NAME, _MIGRATIONS)
        self._clock = clock

    def create(
        self,
        name: str,
        scopes: Sequence[Scope] = DEFAULT_SCOPES,
        allowance: Allowance | None = None,
        expires: float | None = None,
    ) -> str:
        """A new key. Nobody can read it again.

        Raises:
            ConfigError: there is one of this name.
        """
        key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        row = {
            "id": key_id,
            "name": name,
            "hash": _hash(secret),
            "scopes": " ".join(sorted(scopes)),
            "created": self._clock(),
            "expires": expires,
            **(allowance or Allowance()).model_dump(),
        }
        sql = f"INSERT INTO api_key ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"  # nosec B608 # columns of our own
        try:
            with self._database.writing() as connection:
                connection.execute(sql, tuple(row.values()))
        except sqlite3.IntegrityError:
            raise ConfigError(f"there is a key named {name}; choose another name") from None
        return _spell(key_id, secret)

    def authenticate(self, key: str) -> ApiKey:
        """The key that somebody showed.

        Raises:
            KeyRefusedError: it is unknown, revoked or expired; which of them is not said.
            UnavailableError: the keys cannot be read now, so nobody is let in.
        """
        shown = _KEY.fullmatch(key)
        key_id, secret = shown.groups() if shown else ("", "")
        with self._database.reading() as connection:
            row = connection.execute("SELECT * FROM api_key WHERE id = ?", (key_id,)).fetchone()
        now = self._clock()
        known = _is_either(_hash(secret), *_accepted(row, now))
        if row is None or not known or (found := _as_key(row)).state(now) != "active":
            raise KeyRefusedError(_REFUSED)
        return found

    def all(self) -> list[ApiKey]:
        """Every key there ever was, the oldest first."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT * FROM api_key ORDER BY created, id").fetchall()
        return [_as_key(row) for row in rows]

    def exist(self) -> bool:
        """Whether there ever was one."""
        with self._database.reading() as connection:
            return connection.execute("SELECT 1 FROM api_key LIMIT 1").fetchone() is not None

    def find(self, name_or_id: str) -> ApiKey:
        """The key of a name or an id.

        Raises:
            ConfigError: there is none.
        """
        with self._database.reading() as connection:
            return _as_key(_row(connection, name_or_id))

    def revoke(self, name_or_id: str) -> ApiKey:
        """Refuse a key from now on, for ever; its name stays taken.

        Raises:
            ConfigError: there is none of this name or id.
        """
        with self._database.writing() as connection:
            key_id = _row(connection, name_or_id)["id"]
            connection.execute(
                "UPDATE api_key SET revoked = ? WHERE id = ? AND revoked IS NULL",
                (self._clock(), key_id),
            )
            return _as_key(_row(connection, key_id))

    def rotate(self, name_or_id: str, grace_s: float) -> str:
        """A new secret for a key, which keeps all else; the former one is accepted for a while.

        Raises:
            ConfigError: there is none of this name or id, or it is not active.
        """
        secret, now = secrets.token_urlsafe(32), self._clock()
        with self._database.writing() as connection:
            key = _as_key(_row(connection, name_or_id))
            if key.state(now) != "active":
                raise ConfigError(f"the key {key.name} is {key.state(now)}; create a new one")
            connection.execute(
                "UPDATE api_key SET former_hash = hash, former_until = ?, hash = ? WHERE id = ?",
                (now + grace_s, _hash(secret), key.key_id),
            )
        return _spell(key.key_id, secret)

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def _spell(key_id: str, secret: str) -> str:
    return f"s2s_{key_id}_{secret}"


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _accepted(row: sqlite3.Row | None, now: float) -> tuple[bytes, bytes]:
    """Two hashes in any case, so that every answer takes the same time."""
    if row is None:
        return _NO_HASH, _NO_HASH
    former = row["former_hash"] if (row["former_until"] or 0) > now else None
    return row["hash"], former or _NO_HASH


def _is_either(given: bytes, current: bytes, former: bytes) -> bool:
    return secrets.compare_digest(given, current) | secrets.compare_digest(given, former)


def _row(connection: sqlite3.Connection, name_or_id: str) -> sqlite3.Row:
    sql = "SELECT * FROM api_key WHERE id = ? OR name = ? ORDER BY id = ? DESC"
    row: sqlite3.Row | None = connection.execute(sql, (name_or_id,) * 3).fetchone()
    if row is None:
        raise ConfigError(f"no key is named {name_or_id}; see `seq2serve keys list`")
    return row


def _as_key(row: sqlite3.Row) -> ApiKey:
    return ApiKey(
        key_id=row["id"],
        name=row["name"],
        scopes=frozenset(row["scopes"].split()),
        allowance=Allowance(**{name: row[name] for name in Allowance.model_fields}),
        created=row["created"],
        expires=row["expires"],
        revoked=row["revoked"],
        former_until=row["former_until"],
    )
