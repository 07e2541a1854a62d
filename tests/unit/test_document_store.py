"""Translated files on disk: private, shared between processes, fetched, forgotten."""

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from mt.errors import EngineError
from serving.stores.document_store import Document, DocumentStore


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "documents"


def test_what_one_process_writes_another_reads(folder: Path) -> None:
    writer, reader = (DocumentStore(str(folder), keep_s=60) for _ in range(2))
    document = writer.add("a.txt", 5, key="secret")
    assert reader.find(document.document_id) == document
    writer.update(replace(document, status="translating"))
    found = reader.find(document.document_id)
    assert found is not None
    assert found.status == "translating"
    assert reader.read(document) is None
    writer.finish(document, b"Jane")
    found = reader.find(document.document_id)
    assert found == replace(document, status="done", progress=1.0)
    assert reader.read(document) == reader.read(document) == b"Jane"


def test_only_one_may_take_it(folder: Path) -> None:
    stores = [DocumentStore(str(folder), keep_s=60) for _ in range(2)]
    document = stores[0].add("a.txt")
    stores[0].finish(document, b"Jane")
    assert [store.take(document) for store in stores] == [b"Jane", None]
    assert stores[0].find(document.document_id) is None
    assert list(folder.iterdir()) == []


def test_no_one_else_may_look(folder: Path) -> None:
    document = DocumentStore(str(folder), keep_s=60).add("a.txt")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())
    assert len(document.document_id) == 32


@pytest.mark.parametrize("name", ["", "nothing", "0" * 32, "../" + "0" * 29, "0" * 32 + "/x"])
def test_there_is_no_other_document(folder: Path, name: str) -> None:
    store = DocumentStore(str(folder), keep_s=60)
    assert store.find(name) is None
    store.add("a.txt")
    assert store.find(name) is None


def test_old_ones_are_forgotten(folder: Path) -> None:
    store = DocumentStore(str(folder), keep_s=60)
    old = store.add("old.txt")
    store.finish(old, b"Jane")
    (folder / "seq2serve-begun").touch()
    (folder / "theirs.txt").touch()
    for path in folder.iterdir():
        os.utime(path, (0, 0))
    new = store.add("new.txt")
    assert {path.name for path in folder.iterdir()} == {"theirs.txt", f"{new.document_id}.json"}
    assert store.find(old.document_id) is None
    assert store.read(old) is None
    assert store.find(new.document_id) == new


def test_closing_removes_ones_own_and_leaves_others(folder: Path) -> None:
    mine, theirs = (DocumentStore(str(folder), keep_s=60) for _ in range(2))
    my_own = mine.add("a.txt")
    mine.finish(my_own, b"Jane")
    other = theirs.add("b.txt")
    mine.close()
    assert mine.find(my_own.document_id) is None
    assert mine.find(other.document_id) == other
    theirs.close()
    assert not folder.exists()
    theirs.close()


def test_the_default_folder_is_made_when_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    store = DocumentStore(None, keep_s=60)
    assert list(tmp_path.iterdir()) == []
    document = store.add("a.txt")
    assert isinstance(store.find(document.document_id), Document)
    store.close()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_somebody_else_may_have_made_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / f"seq2serve-documents-{os.getuid()}").mkdir(mode=0o755)
    with pytest.raises(EngineError, match="set documents"):
        DocumentStore(None, keep_s=60).add("a.txt")
    DocumentStore(str(tmp_path), keep_s=60).add("a.txt")  # one that is named may be shared
