"""SQLite files between processes: starting together, writing together, dying half way."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from serving.stores.database import Database

COUNTS = (
    ("CREATE TABLE count (name TEXT PRIMARY KEY, value INTEGER NOT NULL)",),
    ("INSERT INTO count VALUES ('left', 0), ('right', 0)",),
)
PROGRAM = """
import sys, time
from pathlib import Path
from serving.stores.database import Database
from tests.e2e.test_database_processes import COUNTS

def add(name):
    connection.execute("UPDATE count SET value = value + 1 WHERE name = ?", (name,))

database = Database(Path(sys.argv[1]), COUNTS, busy_timeout_s=60, synchronous="NORMAL")
for _ in range(int(sys.argv[2])):
    with database.writing() as connection:
        add("left")
        if sys.argv[3:]:
            print("half way", flush=True)
            time.sleep(600)
        add("right")
database.close()
"""


def start(path: Path, times: int, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, str(path), str(times), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def counts(path: Path) -> tuple[int, int]:
    database = Database(path, COUNTS)
    with database.reading() as connection:
        rows = dict(tuple(row) for row in connection.execute("SELECT name, value FROM count"))
    database.close()
    return rows["left"], rows["right"]


def test_processes_that_start_and_write_together_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "counts.sqlite"
    processes = [start(path, 50) for _ in range(4)]
    for process in processes:
        process.communicate()
    assert [process.returncode for process in processes] == [0, 0, 0, 0]
    assert counts(path) == (200, 200)


def test_a_process_killed_half_way_has_written_nothing_and_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "counts.sqlite"
    start(path, 1).communicate()
    process = start(path, 1, "stop half way")
    assert process.stdout
    assert process.stdout.readline() == "half way\n"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert counts(path) == (1, 1)
    start(path, 1).communicate()
    assert counts(path) == (2, 2)
