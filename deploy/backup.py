"""Copy the databases of a running server: python3 deploy/backup.py DATA_DIR FOLDER."""

import pathlib
import sqlite3
import sys

source, target = map(pathlib.Path, sys.argv[1:])
target.mkdir(mode=0o700, parents=True, exist_ok=True)
for file in source.glob("*.sqlite"):
    with sqlite3.connect(file) as read, sqlite3.connect(target / file.name) as write:
        read.backup(write)
