"""Translation memory: sentences that somebody has translated, in one SQLite file of all replicas.

What a key adds is its own; what belongs to nobody (owner "") is shared with everyone. An exact
match may stand in for the model; what was merely suggested, or is only like the text, never does.
"""

import re
import sqlite3
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from rapidfuzz import fuzz, process

from mt.errors import InputError
from serving.stores.database import Database

FILE_NAME = "memory.sqlite"
MAX_CHARS = 10_000  # of an entry's text, and of its translation
SHARED = ""
_AT_ONCE = 1_000  # entries in one transaction, so that other writers get their turn
_LANGUAGE = re.compile("[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,4}")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")

Origin = Literal["import", "caller", "suggestion"]

_MIGRATIONS = (
    (
        """CREATE TABLE entry (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            owner TEXT NOT NULL,
            source TEXT NOT NULL,
            target TEXT NOT NULL,
            text TEXT NOT NULL,
            translation TEXT NOT NULL,
            length INTEGER NOT NULL,
            origin TEXT NOT NULL,
            created REAL NOT NULL
        ) STRICT""",
        "CREATE UNIQUE INDEX entry_once ON entry (text, owner, source, target, origin)",
        "CREATE INDEX entry_length ON entry (length)",
    ),
)
_OF_PAIR = """
    owner IN (:owner, '')
    AND (source = :source OR source GLOB :source || '-*' OR :source GLOB source || '-*')
    AND (target = :target OR target GLOB :target || '-*' OR :target GLOB target || '-*')
"""  # `en` and `en-US` are the same language, `en-GB` and `en-US` are not
_EXACT = f"""
    SELECT translation FROM entry
    WHERE text = :text AND origin <> 'suggestion' AND {_OF_PAIR}
    ORDER BY owner = :owner DESC, created DESC, id DESC LIMIT 1
"""  # nosec B608 # nothing of it comes from outside
_ALIKE = f"SELECT id, text FROM entry WHERE length BETWEEN :least AND :most AND {_OF_PAIR}"  # nosec B608 # our own words
_ADD = """
    INSERT INTO entry (owner, source, target, text, translation, length, origin, created)
    VALUES (:owner, :source, :target, :text, :translation, :length, :origin, :created)
    ON CONFLICT (text, owner, source, target, origin) DO UPDATE SET
        translation = excluded.translation, created = excluded.created
"""


@dataclass(frozen=True)
class Pair:
    """A text and its translation, with their languages."""

    source: str
    target: str
    text: str
    translation: str


@dataclass(frozen=True)
class Entry:
    """A pair that is kept. `shared`: it belongs to nobody, and everybody sees it."""

    entry_id: int
    pair: Pair
    origin: Origin
    shared: bool


@dataclass(frozen=True)
class Match:
    """An entry that is like a text; score 0 to 1, where 1 is the same but for case and spaces."""

    entry: Entry
    score: float


class MemoryStore:
    """The memory of one `data_dir`; safe in any thread and process."""

    def __init__(self, data_dir: Path, clock: Callable[[], float] = time.time) -> None:
        """Raises: ConfigError: the file cannot be used."""
        self._database = Database(data_dir / FILE_NAME, _MIGRATIONS, busy_timeout_s=30.0)
        self._clock = clock

    def add(self, owner: str, pairs: Iterable[Pair], origin: Origin) -> int:
        """Keep pairs; a text that the owner has already gets the new translation. Returns how many.

        Raises:
            InputError: as `problem` says; those before it may be kept.
        """
        added = 0
        for some in _batches(pairs):
            rows = [self._row(owner, pair, origin) for pair in some]
            with self._database.writing() as connection:
                connection.executemany(_ADD, rows)
            added += len(rows)
        return added

    def exact(self, owner: str, source: str, target: str, texts: Sequence[str]) -> list[str | None]:
        """The translation of each text, as its owner or else everybody keeps it.

        Space around a text does not count, and stands around its translation.
        """
        with self._database.reading() as connection:
            return [_recalled(connection, owner, source, target, text) for text in texts]

    def similar(
        self, owner: str, source: str, target: str, text: str, limit: int, least: float
    ) -> list[Match]:
        """The entries most like a text, the best first.

        Similarity is that of Indel distance (rapidfuzz's `ratio`); only texts whose length allows
        for `least` are read, and so many of them per second that a memory of some 100,000 is fine.
        """
        given = {"owner": owner, **_codes(source, target), **_lengths(text, least)}
        with self._database.reading() as connection:
            rows = connection.execute(_ALIKE, given).fetchall()
            found = process.extract(
                _plain(text),
                {row["id"]: _plain(row["text"]) for row in rows},
                scorer=fuzz.ratio,
                processor=None,
                score_cutoff=100 * least,
                limit=limit,
            )
            return [Match(_find(connection, key), score / 100) for _, score, key in found]

    def entries(self, owner: str, after: int, limit: int) -> list[Entry]:
        """Entries that an owner sees, in the order they came, from behind an id on."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT * FROM entry WHERE owner IN (?, '') AND id > ? ORDER BY id LIMIT ?",
                (owner, after, limit),
            ).fetchall()
        return [_entry(row) for row in rows]

    def delete(self, owner: str, entry_id: int) -> bool:
        """Forget an entry of an owner; False where they have none of this id."""
        with self._database.writing() as connection:
            sql = "DELETE FROM entry WHERE id = ? AND owner = ?"
            return connection.execute(sql, (entry_id, owner)).rowcount == 1

    def accept(self, entry_id: int) -> bool:
        """Let a suggestion stand in for the model from now on; False where there is none."""
        with self._database.writing() as connection:
            sql = "SELECT * FROM entry WHERE id = ? AND origin = 'suggestion'"
            if (row := connection.execute(sql, (entry_id,)).fetchone()) is None:
                return False
            connection.execute("DELETE FROM entry WHERE id = ?", (entry_id,))
            connection.execute(_ADD, self._row(row["owner"], _entry(row).pair, "import"))
            return True

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _row(self, owner: str, pair: Pair, origin: Origin) -> dict[str, object]:
        if wrong := problem(pair):
            raise InputError(wrong)
        text = _canonical(pair.text)
        return {
            "owner": owner,
            **_codes(pair.source, pair.target),
            "text": text,
            "translation": _canonical(pair.translation),
            "length": len(_plain(text)),
            "origin": origin,
            "created": self._clock(),
        }


def _batches(pairs: Iterable[Pair]) -> Iterator[list[Pair]]:
    remaining = iter(pairs)
    while some := list(islice(remaining, _AT_ONCE)):
        yield some


def problem(pair: Pair) -> str | None:
    """Why a pair cannot be kept; None where it can."""
    for code in (pair.source, pair.target):
        if not _LANGUAGE.fullmatch(code):
            return "a language is not written as `en` or `en-US`"
    return _problem("text", pair.text) or _problem("translation", pair.translation)


def _problem(name: str, text: str) -> str | None:
    if not text.strip():
        return f"{name}: is empty"
    if len(text) > MAX_CHARS:
        return f"{name}: {len(text)} characters, at most {MAX_CHARS}"
    return f"{name}: has control characters" if _CONTROL.search(text) else None


def _canonical(text: str) -> str:
    return unicodedata.normalize("NFC", text.strip())


def _plain(text: str) -> str:
    """What similarity is measured on: letters without case, spaces without number."""
    return " ".join(text.casefold().split())


def _codes(source: str, target: str) -> dict[str, str]:
    return {"source": source.lower(), "target": target.lower()}


def _lengths(text: str, least: float) -> dict[str, float]:
    """A ratio of r needs a shorter length of r / (2 - r) of the longer, or more."""
    length = len(_plain(text))
    share = least / (2 - least)
    return {"least": length * share, "most": length / share if share else 10.0**9}


def _recalled(
    connection: sqlite3.Connection, owner: str, source: str, target: str, text: str
) -> str | None:
    given = {"owner": owner, **_codes(source, target), "text": _canonical(text)}
    row = connection.execute(_EXACT, given).fetchone()
    if row is None or not given["text"]:
        return None
    start = len(text) - len(text.lstrip())
    end = len(text.rstrip())
    return text[:start] + str(row["translation"]) + text[end:]


def _find(connection: sqlite3.Connection, entry_id: int) -> Entry:
    return _entry(connection.execute("SELECT * FROM entry WHERE id = ?", (entry_id,)).fetchone())


def _entry(row: sqlite3.Row) -> Entry:
    pair = Pair(row["source"], row["target"], row["text"], row["translation"])
    return Entry(row["id"], pair, row["origin"], row["owner"] == SHARED)
