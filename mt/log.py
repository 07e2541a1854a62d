"""One JSON line per event, on standard error. Never text to be translated, keys or addresses."""

import json
import sys
import time


def event(name: str, **fields: object) -> None:
    """Write one event with its UTC time in seconds; fields are short facts (numbers, names)."""
    line = {"time": round(time.time(), 3), "event": name, **fields}
    sys.stderr.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")
    sys.stderr.flush()
