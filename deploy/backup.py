"""Copy the databases of a running server: python3 deploy/backup.py DATA_DIR FOLDER."""

import pathlib
import sqlite3
import sys

if len(sys.argv) != 3:
    sys.exit("usage: python3 backup.py DATA_DIR FOLDER")
source, target = map(pathlib.Path, sys.argv[1:])
if not (files := sorted(source.glob("*.sqlite"))):
    sys.exit(f"{source} holds no databases; name the server's data_dir")
try:
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    for file in files:
        with sqlite3.connect(file) as read, sqlite3.connect(target / file.name) as write:
            read.backup(write)
except (OSError, sqlite3.Error) as error:
    sys.exit(f"not everything was copied to {target}: {error}")
