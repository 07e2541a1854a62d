"""SQLite files: migrations, transactions, and errors that say what to do."""

import os
import sqlite3
import threading
from pathlib import Path

import pytest

from mt.errors import ConfigError, EngineError, UnavailableError
from serving.stores.database import Database

WORDS = (("CREATE TABLE word (text TEXT PRIMARY KEY)",),)
WORDS_WITH_RANK = (
    *WORDS,
    ("ALTER TABLE word ADD COLUMN rank INTEGER NOT NULL DEFAULT 7", "CREATE TABLE pair (a, b)"),
)


def add(database: Database, text: str) -> None:
    with database.writing() as connection:
        connection.execute("INSERT INTO word (text) VALUES (?)", (text,))


def words(database: Database) -> list[str]:
    with database.reading() as connection:
        return [row["text"] for row in connection.execute("SELECT text FROM word ORDER BY text")]


def test_what_was_written_is_there_after_opening_again(tmp_path: Path) -> None:
    first = Database(tmp_path / "new" / "words.sqlite", WORDS)
    add(first, "Haus")
    first.close()
    again = Database(tmp_path / "new" / "words.sqlite", WORDS)
    assert words(again) == ["Haus"]
    again.close()


def test_only_this_user_may_read_the_file(tmp_path: Path) -> None:
    Database(tmp_path / "new" / "words.sqlite", WORDS).close()
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0
    assert (tmp_path / "new" / "words.sqlite").stat().st_mode & 0o077 == 0


def test_a_file_without_path_is_gone_after_closing() -> None:
    database = Database(None, WORDS)
    add(database, "Haus")
    assert words(database) == ["Haus"]
    database.close()
    assert not database.path.parent.exists()


def test_missing_migrations_run_once_and_keep_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "words.sqlite"
    old = Database(path, WORDS)
    add(old, "Haus")
    old.close()
    for _ in range(2):
        new = Database(path, WORDS_WITH_RANK)
        with new.reading() as connection:
            assert [tuple(row) for row in connection.execute("SELECT * FROM word")] == [("Haus", 7)]
        new.close()


def test_a_migration_that_fails_leaves_the_old_schema(tmp_path: Path) -> None:
    path = tmp_path / "words.sqlite"
    Database(path, WORDS).close()
    with pytest.raises(ConfigError, match="no such table"):
        Database(path, (*WORDS, ("CREATE TABLE half (a)", "INSERT INTO absent VALUES (1)")))
    again = Database(path, WORDS)
    with again.reading() as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE name = 'half'")
        assert tables.fetchone() is None
    again.close()


def test_a_file_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "words.sqlite"
    Database(path, WORDS_WITH_RANK).close()
    with pytest.raises(ConfigError, match=r"words\.sqlite has schema 2, this program knows 1: run"):
        Database(path, WORDS)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "words.sqlite"
    path.write_bytes(b"certainly not SQLite" * 99)
    with pytest.raises(ConfigError, match=r"words\.sqlite is damaged or not a database: restore"):
        Database(path, WORDS)


def test_damage_found_at_work_is_our_fault(tmp_path: Path) -> None:
    path = tmp_path / "words.sqlite"
    database = Database(path, WORDS)
    for number in range(50):
        add(database, f"{number:0200d}")
    database.close()
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)
    damaged = Database(path, WORDS)
    with pytest.raises(EngineError, match="damaged"):
        words(damaged)
    damaged.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigError, match=r"words\.sqlite: Permission denied"):
        Database(tmp_path / "words.sqlite", WORDS)


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(ConfigError, match="data"):
        Database(tmp_path / "data" / "words.sqlite", WORDS)


def test_an_exception_takes_everything_back(tmp_path: Path) -> None:
    database = Database(tmp_path / "words.sqlite", WORDS)
    with pytest.raises(KeyError), database.writing() as connection:  # noqa: PT012
        connection.execute("INSERT INTO word VALUES ('Haus')")
        raise KeyError
    assert words(database) == []
    database.close()


def test_a_broken_constraint_stays_the_stores_business(tmp_path: Path) -> None:
    database = Database(tmp_path / "words.sqlite", WORDS)
    add(database, "Haus")
    with pytest.raises(sqlite3.IntegrityError):
        add(database, "Haus")
    add(database, "Hof")
    assert words(database) == ["Haus", "Hof"]
    database.close()


def test_foreign_keys_hold(tmp_path: Path) -> None:
    schema = (*WORDS, ("CREATE TABLE use (text TEXT REFERENCES word (text))",))
    database = Database(tmp_path / "words.sqlite", schema)
    with pytest.raises(sqlite3.IntegrityError), database.writing() as connection:
        connection.execute("INSERT INTO use VALUES ('unknown')")
    database.close()


def test_readers_go_on_beside_a_writer_and_see_one_state(tmp_path: Path) -> None:
    database = Database(tmp_path / "words.sqlite", WORDS)
    add(database, "Haus")
    with database.writing() as connection:
        connection.execute("INSERT INTO word VALUES ('Hof')")
        assert words(database) == ["Haus"]
    assert words(database) == ["Haus", "Hof"]
    database.close()


def test_a_writer_that_waits_too_long_may_try_again(tmp_path: Path) -> None:
    database = Database(tmp_path / "words.sqlite", WORDS, busy_timeout_s=0.05)
    with (
        database.writing(),
        pytest.raises(UnavailableError, match="held by another process: try again"),
    ):
        add(database, "Haus")
    add(database, "Haus")
    assert words(database) == ["Haus"]
    database.close()


def test_many_threads_write_and_none_is_lost(tmp_path: Path) -> None:
    database = Database(tmp_path / "words.sqlite", WORDS, synchronous="NORMAL")

    def write(thread: int) -> None:
        for number in range(25):
            add(database, f"{thread}-{number}")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(words(database)) == 100
    database.close()


def test_a_connection_out_while_closing_is_closed_when_it_comes_back(tmp_path: Path) -> None:
    database = Database(tmp_path / "words.sqlite", WORDS)
    with database.reading() as connection:
        database.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")
