"""Training pairs beside a corpus's own: added, cleaned together, never from validation or test."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from mt.config import validate
from mt.errors import ConfigError, CorpusError
from training.corpora.corpus import Corpus, CorpusConfig, open_corpus
from training.corpora.extra import PROVENANCE, DistilledPairs, Provenance
from training.corpora.pair import Pair
from training.evaluate import bleu

TRAIN = [("one", "eins"), ("two", "zwei"), ("three", "drei")]
VALIDATION = [("A red house.", "Ein rotes Haus.")]
TEST = [("a big dog", "ein grosser hund")]


def tsv(folder: Path, name: str, pairs: list[tuple[str, str]]) -> dict[str, str]:
    path = folder / name
    path.write_text("".join(f"{src}\t{tgt}\n" for src, tgt in pairs), encoding="utf-8")
    return {"format": "tsv", "path": str(path)}


def distilled(folder: Path, pairs: list[tuple[str, str]], languages: str = "en-de") -> Path:
    """A folder as `distill` leaves it, but for the format of its pairs."""
    folder.mkdir()
    lines = [f'{{"source": "{src}", "target": "{tgt}"}}\n' for src, tgt in pairs]
    (folder / "forward.jsonl").write_text("".join(lines), encoding="utf-8")
    part = DistilledPairs(
        model="teacher",
        weights_sha256="0" * 64,
        precision="torch-fp32",
        direction="forward",
        file="forward.jsonl",
        file_sha256="0" * 64,
        translated=len(pairs),
        written=len(pairs),
        repeated=0,
        blank=0,
        score=bleu(["a b c d"], ["a b c d"], "own:train"),
    )
    source, target = languages.split("-")
    provenance = Provenance(
        source=source,
        target=target,
        corpus={},
        corpus_sha256={},
        sentences=None,
        search={},
        models=(part,),
    )
    (folder / PROVENANCE).write_text(provenance.model_dump_json(), encoding="utf-8")
    return folder


def own(folder: Path, **values: Any) -> Corpus:
    given: dict[str, Any] = {
        "name": "mine",
        "source": "en",
        "target": "de",
        "licence": "CC0",
        "files": {
            "train": tsv(folder, "train", TRAIN),
            "validation": tsv(folder, "validation", VALIDATION),
            "test": tsv(folder, "test", TEST),
        },
    }
    return open_corpus(validate(given | values, CorpusConfig, "recipe.yaml"))


def pairs_of(texts: list[tuple[str, str]]) -> list[Pair]:
    return [Pair(*text) for text in texts]


def test_extra_pairs_follow_the_corpus_s_own_which_stays_what_it_was(tmp_path: Path) -> None:
    more = tsv(tmp_path, "more", [("four", "vier"), ("two", "zwo")])
    folder = distilled(tmp_path / "d", [("five", "fünf")])
    corpus = own(tmp_path, extra_train=[more, str(folder)])
    expected = [*TRAIN, ("four", "vier"), ("two", "zwo"), ("five", "fünf")]
    assert list(corpus.train_pairs()) == pairs_of(expected)
    assert list(corpus.pairs("train")) == pairs_of(TRAIN)
    assert corpus.splits == ("train", "validation", "test")
    assert list(corpus.pairs("test")) == pairs_of(TEST)


def test_repeated_and_faulty_pairs_are_dropped_across_all_sources(tmp_path: Path) -> None:
    more = tsv(tmp_path, "more", [("two", "zwei"), ("", "leer"), ("six", "sechs")])
    corpus = own(tmp_path, extra_train=[more, more])
    assert list(corpus.train_pairs()) == pairs_of([*TRAIN, ("six", "sechs")])
    assert corpus.report is not None
    assert corpus.report.lines() == [
        "read 9 pairs, kept 4",
        "dropped 2: empty (pair 5, 8)",
        "dropped 3: duplicate (pair 4, 7, 9)",
    ]


def test_no_extra_pair_has_a_side_that_is_validated_or_tested_on(tmp_path: Path) -> None:
    leaks = [("a RED house", "rotes Haus"), ("red house", "Ein rotes Haus"), ("A big dog!", "Hund")]
    crossed = [("ein grosser hund", "a big cat")]  # the target's text as a source: no leak
    corpus = own(tmp_path, extra_train=[tsv(tmp_path, "more", [*leaks, *crossed])])
    assert list(corpus.train_pairs()) == pairs_of([*TRAIN, *crossed])
    assert corpus.report is not None
    assert corpus.report.lines()[1:] == [
        "dropped 3: a side stands in validation or test (pair 4, 5, 6)"
    ]


def test_what_is_cut_off_is_kept_out_too(tmp_path: Path) -> None:
    texts = [(f"source {n}", f"target {n}") for n in range(20)]
    files = {"train": tsv(tmp_path, "all", texts)}
    extra = [tsv(tmp_path, "more", [(src, "other") for src, _ in texts])]
    corpus = own(tmp_path, files=files, split={"validation": 4, "test": 3}, extra_train=extra)
    sources = [pair.src for pair in corpus.train_pairs()]
    held_out = {pair.src for split in ("validation", "test") for pair in corpus.pairs(split)}
    assert len(held_out) == 7
    assert len(sources) == 26
    assert held_out.isdisjoint(sources)


def test_extra_pairs_alone(tmp_path: Path) -> None:
    more = tsv(tmp_path, "more", [("two", "zwei"), ("A red house", "rotes Haus")])
    corpus = own(tmp_path, extra_train=more, keep_original=False)
    assert list(corpus.train_pairs()) == [Pair("two", "zwei")]


def test_the_number_of_training_pairs_is_of_the_original_ones(tmp_path: Path) -> None:
    more = tsv(tmp_path, "more", [("two", "zwei"), ("four", "vier")])
    corpus = own(tmp_path, extra_train=[more], train_pairs=1)
    assert list(corpus.train_pairs()) == pairs_of([TRAIN[0], ("two", "zwei"), ("four", "vier")])


def test_checksums_tell_of_extra_files(tmp_path: Path) -> None:
    folder = distilled(tmp_path / "d", [("five", "fünf")])
    plain, more = own(tmp_path).sha256, own(tmp_path, extra_train=[str(folder)]).sha256
    path = folder / "forward.jsonl"
    assert more == {**plain, str(path): hashlib.sha256(path.read_bytes()).hexdigest()}


def test_nothing_to_train_on_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="keep_original is false, but extra_train names nothing"):
        own(tmp_path, keep_original=False)


def test_a_folder_without_a_finished_distillation_is_refused_when_it_is_read(
    tmp_path: Path,
) -> None:
    corpus = own(tmp_path, extra_train=[str(tmp_path / "nothing")])
    assert list(corpus.pairs("test")) == pairs_of(TEST)
    with pytest.raises(CorpusError, match="nothing holds no finished distillation; run `seq2serve"):
        list(corpus.train_pairs())


def test_pairs_of_other_languages_are_refused(tmp_path: Path) -> None:
    folder = distilled(tmp_path / "d", [("cinq", "fünf")], "fr-de")
    with pytest.raises(CorpusError, match="holds fr-de pairs, but the corpus is en-de"):
        list(own(tmp_path, extra_train=[str(folder)]).train_pairs())


def test_damaged_provenance_and_lost_pairs_are_refused(tmp_path: Path) -> None:
    folder = distilled(tmp_path / "d", [("five", "fünf")])
    (folder / "forward.jsonl").unlink()
    with pytest.raises(CorpusError, match=r"forward\.jsonl: no such file"):
        list(own(tmp_path, extra_train=[str(folder)]).train_pairs())
    (folder / PROVENANCE).write_text("{}")
    with pytest.raises(CorpusError, match=r"distilled\.json is damaged; distil again"):
        list(own(tmp_path, extra_train=[str(folder)]).train_pairs())
