import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mt.config import validate
from mt.errors import ConfigError, CorpusError
from training.corpora.corpus import Corpus, CorpusConfig, open_corpus
from training.corpora.description import Figures, describe, describe_lines
from training.corpora.pair import Pair

REAL_DATA = os.environ.get("SEQ2SERVE_DATA", "")


def config(**values: Any) -> CorpusConfig:
    return validate(values, CorpusConfig, "recipe.yaml")


def moses(folder: Path, name: str, pairs: list[tuple[str, str]]) -> dict[str, str]:
    for side, language in enumerate(("en", "de")):
        text = "".join(f"{pair[side]}\n" for pair in pairs)
        (folder / f"{name}.{language}").write_text(text, encoding="utf-8")
    return {"format": "moses", "source": f"{folder}/{name}.en", "target": f"{folder}/{name}.de"}


def tsv(folder: Path, name: str, pairs: list[tuple[str, str]]) -> dict[str, str]:
    path = folder / name
    path.write_text("".join(f"{src}\t{tgt}\n" for src, tgt in pairs), encoding="utf-8")
    return {"format": "tsv", "path": str(path)}


def own(**values: Any) -> Corpus:
    given = {"name": "mine", "source": "en", "target": "de", "licence": "CC0", **values}
    return open_corpus(config(**given))


@pytest.fixture(autouse=True)
def no_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEQ2SERVE_DATA", raising=False)


def test_own_files_by_split(tmp_path: Path) -> None:
    files = {
        "train": [
            moses(tmp_path, "a", [("one", "eins"), ("", "leer")]),
            tsv(tmp_path, "b", [("two", "zwei")]),
        ],
        "validation": tsv(tmp_path, "v", [("three", "drei")]),
        "test-news": tsv(tmp_path, "t", [("four", "vier")]),
    }
    corpus = own(files=files)
    assert (corpus.name, corpus.licence, corpus.source, corpus.target) == (
        "mine",
        "CC0",
        "en",
        "de",
    )
    assert corpus.splits == ("train", "validation", "test-news")
    assert list(corpus.pairs("train")) == [
        Pair("one", "eins"),
        Pair("", "leer"),
        Pair("two", "zwei"),
    ]
    assert list(corpus.pairs("test-news")) == [Pair("four", "vier")]
    assert corpus.report is None
    assert list(corpus.train_pairs()) == [Pair("one", "eins"), Pair("two", "zwei")]
    assert corpus.report is not None
    assert (corpus.report.read, corpus.report.kept) == (3, 2)


def test_own_files_have_checksums(tmp_path: Path) -> None:
    files = {
        "train": tsv(tmp_path, "a", [("a", "b")]),
        "validation": tsv(tmp_path, "v", [("c", "d")]),
    }
    assert own(files=files).sha256 == {
        f"{tmp_path}/a": hashlib.sha256(b"a\tb\n").hexdigest(),
        f"{tmp_path}/v": hashlib.sha256(b"c\td\n").hexdigest(),
    }
    (tmp_path / "a").unlink()
    with pytest.raises(CorpusError, match="a: no such file"):
        _ = own(files=files).sha256


def test_json_lines_as_own_files(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"en": "one", "de": "eins"}\n', encoding="utf-8")
    file = {"format": "jsonl", "path": str(path), "source_key": "en", "target_key": "de"}
    assert list(own(files={"train": file, "validation": file}).train_pairs()) == [
        Pair("one", "eins")
    ]


def test_one_own_split_is_cut_into_three_after_cleaning(tmp_path: Path) -> None:
    texts = [(f"source {n}", f"target {n}") for n in range(40)]
    file = tsv(tmp_path, "a", [*texts, texts[0], ("", "x")])
    corpus = own(files={"train": file}, split={"validation": 5, "test": 8, "seed": 3})
    assert corpus.splits == ("train", "validation", "test")
    parts = [list(corpus.pairs(split)) for split in corpus.splits]
    assert [len(part) for part in parts] == [27, 5, 8]
    assert sorted(pair for part in parts for pair in part) == sorted(Pair(*text) for text in texts)
    assert list(corpus.train_pairs()) == parts[0]
    assert corpus.report is not None
    assert (corpus.report.read, corpus.report.kept) == (42, 40)


def test_a_cut_of_what_cleaning_has_dropped_says_what_it_dropped(tmp_path: Path) -> None:
    file = tsv(tmp_path, "a", [("same", "same")] * 5)
    corpus = own(files={"train": file}, split={"validation": 2, "test": 0})
    with pytest.raises(
        CorpusError, match=r"held out of 0; .*; cleaning read 5 pairs, kept 0; drop"
    ):
        list(corpus.pairs("validation"))


def test_a_cut_without_a_test(tmp_path: Path) -> None:
    file = tsv(tmp_path, "a", [(f"s{n}", f"t{n}") for n in range(10)])
    corpus = own(files={"train": file}, split={"validation": 2, "test": 0})
    assert corpus.splits == ("train", "validation")


def test_only_the_first_training_pairs_if_asked(tmp_path: Path) -> None:
    file = tsv(tmp_path, "a", [("", "x"), *((f"s{n}", f"t{n}") for n in range(9))])
    corpus = own(files={"train": file, "validation": file}, train_pairs=3)
    assert list(corpus.train_pairs()) == [Pair(f"s{n}", f"t{n}") for n in range(3)]
    assert len(list(corpus.pairs("train"))) == 10


def test_cleaning_that_leaves_nothing(tmp_path: Path) -> None:
    file = tsv(tmp_path, "a", [("same", "same"), ("again", "again")])
    corpus = own(files={"train": file, "validation": file})
    with pytest.raises(
        CorpusError, match=r"mine: cleaning left no training pair .*2: copied source"
    ):
        list(corpus.train_pairs())


def test_cleaning_settings_reach_the_training_pairs(tmp_path: Path) -> None:
    file = tsv(tmp_path, "a", [("a b c", "x y z"), ("a b", "x y")])
    corpus = own(files={"train": file, "validation": file}, cleaning={"max_words": 2})
    assert list(corpus.train_pairs()) == [Pair("a b", "x y")]


def test_unknown_split(tmp_path: Path) -> None:
    file = tsv(tmp_path, "a", [("a", "b")])
    with pytest.raises(CorpusError, match="mine has no split test, only train, validation"):
        own(files={"train": file, "validation": file}).pairs("test")


def test_a_missing_file_is_an_error_when_it_is_read(tmp_path: Path) -> None:
    file = {"format": "tsv", "path": str(tmp_path / "nothing.tsv")}
    with pytest.raises(CorpusError, match=r"nothing\.tsv: no such file"):
        list(own(files={"train": file, "validation": file}).train_pairs())


FILE = {"format": "tsv", "path": "a.tsv"}
OWN = {"name": "mine", "source": "en", "target": "de", "licence": "CC0"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"name": "multi40k", "source": "en", "target": "de"},
            "known are embedded, multi30k, tato",
        ),
        ({"name": "multi30k", "source": "en", "target": "en"}, "the same language"),
        ({"name": "multi30k", "source": "English", "target": "de"}, "source: String should match"),
        ({"name": "multi30k", "source": "en", "target": "de", "split": {}}, "own files only"),
        ({"name": "embedded", "source": "en", "target": "de"}, "is French and English"),
        ({"name": "multi30k", "source": "en", "target": "de", "sead": 1}, "sead: Extra inputs"),
        ({**OWN, "name": "tatoeba", "files": {"train": FILE}}, "tatoeba is taken"),
        ({**OWN, "files": {"validation": FILE}}, r"files\.train is missing"),
        ({**OWN, "files": {"train": FILE}}, r"files\.validation is missing; .* split section"),
        ({**OWN, "licence": None, "files": {"train": FILE}}, "licence is missing"),
        (
            {**OWN, "files": {"train": FILE, "validation": FILE}, "split": {}},
            r"split cuts files\.train only",
        ),
        ({**OWN, "files": {"train": []}}, r"files\.train: .* at least 1 item"),
        ({**OWN, "files": {"train": {"format": "csv", "path": "a"}}}, r"files\.train\.0: .*'tsv'"),
        ({**OWN, "files": {"train": {"format": "tsv"}}}, r"files\.train\.0\.tsv\.path: Field req"),
        ({**OWN, "cleaning": {"max_words": 0}}, r"cleaning\.max_words"),
        ({**OWN, "cleaning": {"source_script": "Klingon"}}, r"cleaning\.source_script"),
    ],
)
def test_settings_that_do_not_fit(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=rf"^recipe\.yaml: .*{message}"):
        config(**values)


def test_the_embedded_corpus() -> None:
    corpus = open_corpus(config(name="embedded", source="fr", target="en", train_pairs=40))
    assert corpus.splits == ("train", "validation", "test", "test-long")
    assert "MIT" in corpus.licence
    train = list(corpus.pairs("train"))
    assert len(train) == 40
    assert list(corpus.pairs("train")) == train
    assert set(corpus.train_pairs()) <= set(train)


def test_the_embedded_corpus_by_seed_size_and_direction(monkeypatch: pytest.MonkeyPatch) -> None:
    def generate(split: str, seed: int, train_pairs: int) -> Iterator[Pair]:
        return (Pair(f"le {split} {seed} {n}", f"the {split} {n}") for n in range(train_pairs))

    def opened(source: str, target: str, seed: int) -> Corpus:
        values = {"name": "embedded", "train_pairs": 2}
        return open_corpus(config(**values, source=source, target=target, seed=seed))

    monkeypatch.setattr("training.corpora.embedded.generate", generate)
    straight, turned = opened("fr", "en", 7), opened("en", "fr", 7)
    assert list(straight.pairs("train"))[1] == Pair("le train 7 1", "the train 1")
    assert list(turned.pairs("test"))[1] == Pair("the test 1", "le test 7 1")
    text = "le train 7 0\tthe train 0\nle train 7 1\tthe train 1\n"
    assert straight.sha256 == {"embedded.train.tsv": hashlib.sha256(text.encode()).hexdigest()}
    assert straight.sha256 != opened("fr", "en", 8).sha256


def test_a_published_corpus_that_lacks_the_language() -> None:
    with pytest.raises(
        CorpusError, match="multi30k has no pairs en-zh, only between cs, de, en, fr"
    ):
        open_corpus(config(name="multi30k", source="en", target="zh"))


def test_describe_counts_pairs_and_words(tmp_path: Path) -> None:
    files = {
        "train": tsv(tmp_path, "a", [("one two three", "eins zwei"), ("", "x")]),
        "validation": tsv(tmp_path, "v", [("a b", "c")]),
    }
    corpus = own(files=files)
    assert describe(corpus) == [
        Figures("train, cleaned", 1, 3, 2, 3),
        Figures("train", 2, 3, 3, 3),
        Figures("validation", 1, 2, 1, 2),
    ]
    assert describe_lines(corpus) == [
        "mine en-de",
        "",
        "                       pairs      en words      de words  longest",
        "train, cleaned             1             3             2        3",
        "train                      2             3             3        3",
        "validation                 1             2             1        2",
        "",
        "cleaning of train:",
        "  read 2 pairs, kept 1",
        "  dropped 1: empty (pair 2)",
        "",
        "licence: CC0",
    ]


@pytest.mark.skipif(not REAL_DATA, reason="SEQ2SERVE_DATA is not set")
def test_cleaning_loses_almost_nothing_of_multi30k(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQ2SERVE_DATA", REAL_DATA)
    cleaning = {"source_script": "Latin", "target_script": "Latin"}
    corpus = open_corpus(config(name="multi30k", source="de", target="en", cleaning=cleaning))
    first = next(corpus.train_pairs())
    assert first.src.startswith("Zwei junge weiße Männer")
    kept = sum(1 for _ in corpus.train_pairs())
    assert 29_000 - 10 <= kept <= 29_000
