"""Where glossaries are kept: one SQLite file, which all replicas of a machine read and write.

Every question goes to the file, so a glossary that one replica takes is there for the next request
to another. A glossary belongs to the key that made it, and to nobody else it exists.
"""

import secrets
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from mt.errors import InputError, UnknownGlossaryError
from serving.stores.database import Database
from serving.stores.glossaries import (
    MAX_DICTIONARIES,
    Dictionary,
    DictionaryFacts,
    Entries,
    Glossary,
    base,
)

FILE_NAME = "glossaries.sqlite"
MAX_GLOSSARIES = 1000  # of one owner
MAX_NAME_CHARS = 1024
_GONE = "no such glossary"
_MIGRATIONS = (
    (
        """CREATE TABLE glossary (
            id TEXT PRIMARY KEY,
            owner TEXT NOT NULL,
            name TEXT NOT NULL,
            created REAL NOT NULL
        ) STRICT""",
        "CREATE INDEX glossary_of_owner ON glossary (owner)",
        """CREATE TABLE dictionary (
            glossary TEXT NOT NULL REFERENCES glossary ON DELETE CASCADE,
            source TEXT NOT NULL,
            target TEXT NOT NULL,
            PRIMARY KEY (glossary, source, target)
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE entry (
            glossary TEXT NOT NULL,
            source TEXT NOT NULL,
            target TEXT NOT NULL,
            place INTEGER NOT NULL,
            source_term TEXT NOT NULL,
            target_term TEXT NOT NULL,
            PRIMARY KEY (glossary, source, target, source_term),
            FOREIGN KEY (glossary, source, target) REFERENCES dictionary ON DELETE CASCADE
        ) STRICT, WITHOUT ROWID""",
    ),
)


class GlossaryStore:
    """The glossaries of one server; safe in any thread and process.

    Without `data_dir` they are among the temporary files of this process, until `close`.
    """

    def __init__(self, data_dir: Path | None, clock: Callable[[], float] = time.time) -> None:
        """Raises: ConfigError: the file cannot be used."""
        path = data_dir / FILE_NAME if data_dir else None
        self._database = Database(path, _MIGRATIONS)
        self._clock = clock

    def create(self, owner: str, name: str, dictionaries: Sequence[Dictionary]) -> Glossary:
        """Keep a new glossary, all of it or nothing.

        Raises:
            InputError: the name, or the number of dictionaries or glossaries, cannot be.
        """
        if not dictionaries:
            raise InputError("a glossary needs a dictionary")
        glossary_id = secrets.token_hex(16)
        with self._database.writing() as connection:
            query = "SELECT count(*) FROM glossary WHERE owner = ?"
            if connection.execute(query, (owner,)).fetchone()[0] >= MAX_GLOSSARIES:
                raise InputError(f"there are {MAX_GLOSSARIES} glossaries already; delete some")
            row = (glossary_id, owner, _checked(name), self._clock())
            connection.execute("INSERT INTO glossary VALUES (?, ?, ?, ?)", row)
            for one in dictionaries:
                _replace(connection, glossary_id, one)
            return _read(connection, owner, glossary_id)

    def all(self, owner: str) -> list[Glossary]:
        """Every glossary of an owner, the oldest first."""
        with self._database.reading() as connection:
            query = "SELECT id FROM glossary WHERE owner = ? ORDER BY created, id"
            ids = [row["id"] for row in connection.execute(query, (owner,))]
            return [_read(connection, owner, one) for one in ids]

    def get(self, owner: str, glossary_id: str) -> Glossary:
        """One glossary.

        Raises:
            UnknownGlossaryError: the owner has none of this id.
        """
        with self._database.reading() as connection:
            return _read(connection, owner, glossary_id)

    def dictionaries(
        self, owner: str, glossary_id: str, source: str | None = None, target: str | None = None
    ) -> list[Dictionary]:
        """The dictionaries of a glossary with their entries: all, or those of these languages.

        Raises:
            UnknownGlossaryError: there is no such glossary, or it has no such dictionary.
        """
        with self._database.reading() as connection:
            facts = _read(connection, owner, glossary_id).dictionaries
            wanted = [
                one
                for one in facts
                if source in (None, one.source) and target in (None, one.target)
            ]
            if not wanted:
                raise UnknownGlossaryError(f"{_GONE} for these languages")
            return [
                Dictionary(one.source, one.target, _entries(connection, glossary_id, one))
                for one in wanted
            ]

    def entries(self, owner: str, ids: Sequence[str], source: str, target: str) -> Entries:
        """What glossaries say for a pair of languages, together; of two the first one wins.

        Raises:
            UnknownGlossaryError: one of them does not exist.
            InputError: none of them has a dictionary for these languages.
        """
        found: dict[str, str] = {}
        for one in ids:
            for dictionary in self.dictionaries(owner, one):
                if (dictionary.source, dictionary.target) == (base(source), base(target)):
                    found = dict(dictionary.entries) | found
        if not found:
            raise InputError("no dictionary of the glossary is for this pair of languages")
        return tuple(found.items())

    def update(
        self, owner: str, glossary_id: str, name: str | None, dictionaries: Iterable[Dictionary]
    ) -> Glossary:
        """Give another name, and add entries; those of source terms that are there are changed.

        Raises:
            InputError: the name cannot be, or there would be too many dictionaries.
            UnknownGlossaryError: there is no such glossary.
        """
        with self._database.writing() as connection:
            _read(connection, owner, glossary_id)
            if name is not None:
                row = (_checked(name), glossary_id)
                connection.execute("UPDATE glossary SET name = ? WHERE id = ?", row)
            for one in dictionaries:
                _merge(connection, glossary_id, one)
            return _read(connection, owner, glossary_id)

    def replace(self, owner: str, glossary_id: str, dictionary: Dictionary) -> Glossary:
        """Put a dictionary in the place of the one for its languages, or beside the others.

        Raises:
            InputError: there would be too many dictionaries.
            UnknownGlossaryError: there is no such glossary.
        """
        with self._database.writing() as connection:
            _read(connection, owner, glossary_id)
            _replace(connection, glossary_id, dictionary)
            return _read(connection, owner, glossary_id)

    def remove(self, owner: str, glossary_id: str, source: str, target: str) -> None:
        """Delete one dictionary; its glossary stays.

        Raises:
            UnknownGlossaryError: there is no such glossary or dictionary.
        """
        with self._database.writing() as connection:
            _read(connection, owner, glossary_id)
            if not _delete(connection, glossary_id, base(source), base(target)):
                raise UnknownGlossaryError(f"{_GONE} for these languages")

    def delete(self, owner: str, glossary_id: str) -> None:
        """Delete a glossary.

        Raises:
            UnknownGlossaryError: there is no such glossary.
        """
        with self._database.writing() as connection:
            row = (glossary_id, owner)
            query = "DELETE FROM glossary WHERE id = ? AND owner = ?"
            if not connection.execute(query, row).rowcount:
                raise UnknownGlossaryError(_GONE)

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def _checked(name: str) -> str:
    if not name.strip() or len(name) > MAX_NAME_CHARS:
        raise InputError(f"a glossary needs a name of at most {MAX_NAME_CHARS} characters")
    return name


def _read(connection: sqlite3.Connection, owner: str, glossary_id: str) -> Glossary:
    query = "SELECT name, created FROM glossary WHERE id = ? AND owner = ?"
    row = connection.execute(query, (glossary_id, owner)).fetchone()
    if row is None:
        raise UnknownGlossaryError(_GONE)
    query = """SELECT dictionary.source, dictionary.target, count(source_term) AS n
        FROM dictionary LEFT JOIN entry USING (glossary, source, target)
        WHERE glossary = ? GROUP BY dictionary.source, dictionary.target"""
    found = connection.execute(query, (glossary_id,))
    facts = tuple(DictionaryFacts(one["source"], one["target"], one["n"]) for one in found)
    return Glossary(glossary_id, row["name"], datetime.fromtimestamp(row["created"], UTC), facts)


def _entries(
    connection: sqlite3.Connection, glossary_id: str, facts: DictionaryFacts
) -> tuple[tuple[str, str], ...]:
    query = """SELECT source_term, target_term FROM entry
        WHERE glossary = ? AND source = ? AND target = ? ORDER BY place"""
    found = connection.execute(query, (glossary_id, facts.source, facts.target))
    return tuple((row["source_term"], row["target_term"]) for row in found)


def _replace(connection: sqlite3.Connection, glossary_id: str, dictionary: Dictionary) -> None:
    _delete(connection, glossary_id, dictionary.source, dictionary.target)
    _merge(connection, glossary_id, dictionary)


def _delete(connection: sqlite3.Connection, glossary_id: str, source: str, target: str) -> int:
    query = "DELETE FROM dictionary WHERE glossary = ? AND source = ? AND target = ?"
    return connection.execute(query, (glossary_id, source, target)).rowcount


def _merge(connection: sqlite3.Connection, glossary_id: str, dictionary: Dictionary) -> None:
    pair = (glossary_id, dictionary.source, dictionary.target)
    connection.execute("INSERT INTO dictionary VALUES (?, ?, ?) ON CONFLICT DO NOTHING", pair)
    query = "SELECT count(*) FROM dictionary WHERE glossary = ?"
    if connection.execute(query, pair[:1]).fetchone()[0] > MAX_DICTIONARIES:
        raise InputError(f"at most {MAX_DICTIONARIES} dictionaries in one glossary")
    query = """SELECT coalesce(max(place), 0) + 1 FROM entry
        WHERE glossary = ? AND source = ? AND target = ?"""
    first = connection.execute(query, pair).fetchone()[0]
    connection.executemany(
        """INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET target_term = excluded.target_term""",
        [(*pair, place, *terms) for place, terms in enumerate(dictionary.entries, start=first)],
    )
