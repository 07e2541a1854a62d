import gzip
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mt.config import validate
from mt.errors import CorpusError
from tests.file_server import FileServer, serving
from training.corpora.download import Patience
from training.corpora.pair import Pair
from training.corpora.registry import Entry, PublishedCorpus, cache_folder, registry

PATIENCE = Patience(timeout_s=5, attempts=2, backoff_s=0.001)
TEXTS = {
    "train.en.gz": "one\ntwo\n",
    "train.de.gz": "eins\nzwei\n",
    "train.fr.gz": "un\ndeux\n",
    "val.en.gz": "three\n",
    "val.de.gz": "drei\n",
    "val.fr.gz": "trois\n",
    "test.en.gz": "four\n",
    "test.de.gz": "vier\n",
}
FILES = {name: gzip.compress(text.encode(), mtime=0) for name, text in TEXTS.items()}
REAL_DATA = os.environ.get("SEQ2SERVE_DATA", "")
SPLITS = {"train": "train", "val": "validation", "test": "test"}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def described(name: str, data: bytes, languages: list[str]) -> dict[str, object]:
    return {"name": name, "languages": languages, "bytes": len(data), "sha256": sha256(data)}


def small_entry(address: str | None) -> Entry:
    """A corpus of three languages, laid out as Multi30k; the test has no French."""
    splits: dict[str, list[dict[str, object]]] = {split: [] for split in SPLITS.values()}
    for name, data in FILES.items():
        stem, language, _ = name.split(".")
        splits[SPLITS[stem]].append(described(name, data, [language]))
    values = {"title": "Small", "licence": "none needed", "folder": "small", "layout": "moses"}
    return validate({**values, "address": address, "splits": splits}, Entry, "test")


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEQ2SERVE_DATA", raising=False)
    monkeypatch.setenv("SEQ2SERVE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving(FileServer(dict(FILES))) as running:
        yield running


def open_small(
    server: FileServer | None, source: str = "en", target: str = "de"
) -> PublishedCorpus:
    entry = small_entry(server.address if server else None)
    return PublishedCorpus("small", entry, source, target, PATIENCE)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder SEQ2SERVE_DATA names, with all files."""
    folder = tmp_path / "data" / "small"
    folder.mkdir(parents=True)
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    monkeypatch.setenv("SEQ2SERVE_DATA", str(folder.parent))
    return folder


def test_pairs_are_downloaded_verified_and_cached(server: FileServer, tmp_path: Path) -> None:
    corpus = open_small(server)
    assert server.ranges == []  # opening reads nothing
    assert list(corpus.pairs("train")) == [Pair("one", "eins"), Pair("two", "zwei")]
    assert list(corpus.pairs("train")) == list(open_small(server).pairs("train"))
    assert len(server.ranges) == 2
    cached = sorted(path.name for path in (tmp_path / "cache" / "small").glob("*.gz"))
    assert cached == ["train.de.gz", "train.en.gz"]


@pytest.mark.parametrize(
    ("source", "target", "pair"),
    [
        ("de", "en", Pair("eins", "one")),
        ("fr", "de", Pair("un", "eins")),
        ("en", "fr", Pair("one", "un")),
    ],
)
def test_any_direction_between_its_languages(
    server: FileServer, source: str, target: str, pair: Pair
) -> None:
    assert next(open_small(server, source, target).pairs("train")) == pair


def test_splits_are_those_with_both_languages(server: FileServer) -> None:
    assert open_small(server, "en", "de").splits == ("train", "validation", "test")
    assert open_small(server, "fr", "de").splits == ("train", "validation")


def test_checksums_are_the_pinned_ones_of_both_languages(server: FileServer) -> None:
    corpus = open_small(server, "fr", "de")
    names = ("train.fr.gz", "train.de.gz", "val.fr.gz", "val.de.gz")
    assert corpus.sha256 == {name: sha256(FILES[name]) for name in names}


@pytest.mark.parametrize(("source", "target"), [("en", "xx"), ("xx", "en"), ("en", "en")])
def test_languages_it_does_not_have(server: FileServer, source: str, target: str) -> None:
    message = f"small has no pairs {source}-{target}, only between de, en, fr"
    with pytest.raises(CorpusError, match=message):
        open_small(server, source, target)


def test_a_wrong_download_is_refused(server: FileServer) -> None:
    server.files["train.de.gz"] = bytes(len(FILES["train.de.gz"]))
    with pytest.raises(CorpusError, match=r"train\.de\.gz: wrong checksum"):
        list(open_small(server).pairs("train"))


def test_a_damaged_cache_is_repaired(server: FileServer, tmp_path: Path) -> None:
    pairs = list(open_small(server).pairs("train"))
    (tmp_path / "cache" / "small" / "train.en.gz").write_bytes(b"damaged")
    assert list(open_small(server).pairs("train")) == pairs


def test_the_data_folder_is_used_instead_of_the_network(server: FileServer, data: Path) -> None:
    assert next(open_small(server).pairs("validation")) == Pair("three", "drei")
    assert server.ranges == []


def test_splits_the_data_folder_lacks_are_not_offered(data: Path) -> None:
    (data / "test.en.gz").unlink()
    assert open_small(None).splits == ("train", "validation")
    assert "test.en.gz" in open_small(None).sha256  # what is pinned does not depend on the machine


def test_a_file_in_the_data_folder_that_is_another(data: Path) -> None:
    (data / "train.en.gz").write_bytes(gzip.compress(b"other\n"))
    with pytest.raises(CorpusError, match=r"train\.en\.gz: not the file small publishes"):
        open_small(None).pairs("train")


def test_a_file_that_vanished_from_the_data_folder(data: Path) -> None:
    corpus = open_small(None)
    (data / "train.en.gz").unlink()
    with pytest.raises(CorpusError, match=r"train\.en\.gz: cannot be read"):
        corpus.pairs("train")


def test_a_data_folder_without_the_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQ2SERVE_DATA", str(tmp_path))
    with pytest.raises(
        CorpusError, match=r"SEQ2SERVE_DATA: .*small lacks train\.en\.gz, train\.de"
    ):
        open_small(None)
    monkeypatch.setenv("SEQ2SERVE_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(CorpusError, match="nowhere: no such folder"):
        open_small(None)


def test_a_corpus_that_cannot_be_downloaded_says_where_to_put_it() -> None:
    with pytest.raises(
        CorpusError, match=r"tatoeba cannot be downloaded: .* set SEQ2SERVE_DATA to"
    ):
        PublishedCorpus("tatoeba", registry()["tatoeba"], "en", "de")


@pytest.mark.parametrize(("source", "target"), [("en", "de"), ("de", "en")])
def test_columns_of_a_table_follow_the_direction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, target: str
) -> None:
    content = gzip.compress(b"one\teins\n")
    values = {"title": "T", "licence": "L", "folder": "t", "address": None, "layout": "tsv"}
    splits = {"train": [described("train.tsv.gz", content, ["en", "de"])]}
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "train.tsv.gz").write_bytes(content)
    monkeypatch.setenv("SEQ2SERVE_DATA", str(tmp_path))
    entry = validate({**values, "splits": splits}, Entry, "test")
    corpus = PublishedCorpus("t", entry, source, target)
    words = {"en": "one", "de": "eins"}
    assert list(corpus.pairs("train")) == [Pair(words[source], words[target])]
    assert corpus.sha256 == {"train.tsv.gz": sha256(content)}


def test_the_cache_has_a_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SEQ2SERVE_CACHE")
    assert cache_folder() == tmp_path / ".cache" / "seq2serve"


def test_multi30k_is_published_whole() -> None:
    entry = registry()["multi30k"]
    tests = ["test2016", "test2017", "test2017-coco", "test2018"]
    assert list(entry.splits) == ["train", "validation", *tests]
    assert entry.languages() == ["cs", "de", "en", "fr"]
    assert list(entry.splits_between("en", "cs")) == ["train", "validation", "test2016", "test2018"]
    assert list(entry.splits_between("fr", "de")) == list(entry.splits)
    assert entry.address is not None
    assert re.fullmatch(r"https://.*/", entry.address)
    files = [file for files in entry.splits.values() for file in files]
    assert len({file.sha256 for file in files}) == len(files) == 22


@pytest.mark.skipif(not REAL_DATA, reason="SEQ2SERVE_DATA is not set")
class TestRealFiles:
    """The pinned checksums against the real files."""

    @pytest.fixture(autouse=True)
    def real(self, monkeypatch: pytest.MonkeyPatch, environment: None) -> None:
        monkeypatch.setenv("SEQ2SERVE_DATA", REAL_DATA)

    @pytest.mark.parametrize("target", ["de", "fr"])
    def test_multi30k(self, target: str) -> None:
        corpus = PublishedCorpus("multi30k", registry()["multi30k"], "en", target)
        counts = {
            split: sum(1 for _ in corpus.pairs(split))
            for split in ("train", "validation", "test2016")
        }
        assert counts == {"train": 29_000, "validation": 1_014, "test2016": 1_000}

    def test_tatoeba(self) -> None:
        corpus = PublishedCorpus("tatoeba", registry()["tatoeba"], "de", "en")
        counts = {split: sum(1 for _ in corpus.pairs(split)) for split in corpus.splits}
        assert counts == {"train": 162_114, "validation": 2_000, "test": 2_000}
