"""The contract of each interface, as OpenAPI documents beside this file.

    python -m tests.golden.openapi

writes them anew, after a change that is meant.
"""

import json
from pathlib import Path
from typing import Any, get_args

from serving.app import create_app
from serving.models import Models
from serving.settings import DialectName
from tests.app_client import settings_with

FOLDER = Path(__file__).parent
NATIVE = "native"

Document = dict[str, Any]


def documents() -> dict[str, Document]:
    """Of the native interface, and of each dialect what it adds to it."""
    native = _document(())
    dialects = {name: _document((name,)) for name in get_args(DialectName)}
    added = {name: _beyond(native, one) for name, one in dialects.items()}
    return {NATIVE: native, **added}


def written(document: Document) -> str:
    """A document as it is kept: one fact a line, so that a difference is short."""
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def file_of(name: str) -> Path:
    """Where a document is kept."""
    return FOLDER / f"openapi_{name}.json"


def _document(dialects: tuple[str, ...]) -> Document:
    settings = settings_with(dialects=dialects)
    document = create_app(lambda: Models([]), settings).openapi()
    return {"paths": document["paths"], **document["components"]}


def _beyond(less: Document, more: Document) -> Document:
    return {
        part: {name: one for name, one in more[part].items() if less[part].get(name) != one}
        for part in more
    }


def main() -> None:
    """Write them all."""
    for name, document in documents().items():
        file_of(name).write_text(written(document))


if __name__ == "__main__":
    main()
