"""Distilling with tiny trained models: both directions, killed and continued, then trained on."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from click.testing import CliRunner

import training.cli
import training.distill
from mt.errors import CheckpointError, ConfigError
from mt.search_options import SearchOptions
from tests.tiny_run import random_pairs, recipe_values, write_corpus
from training.corpora.corpus import open_corpus
from training.corpora.extra import Provenance
from training.corpora.pair import Pair
from training.corpora.readers import JsonLinesFile, read_pairs
from training.distill import corpus_section, distill
from training.distilled_chunks import Chunks, collect
from training.evaluate import translate_sentences
from training.prepare import prepare
from training.recipe import Recipe
from training.resume import locked
from training.system import open_system
from training.train import train

GREEDY = SearchOptions(beam_size=1)


def recipe_of(folder: Path, turned: bool = False, **corpus: Any) -> Recipe:
    values = recipe_values(folder)
    own = values["corpus"]
    if turned:
        own["source"], own["target"] = own["target"], own["source"]
        for file in own["files"].values():
            file["source"], file["target"] = file["target"], file["source"]
    own |= corpus
    return Recipe.model_validate(values | {"name": "turned" if turned else "tiny"})


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny corpus, and two models trained on it in opposite directions."""
    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(folder)
    train(recipe_of(folder), folder / "forward")
    train(recipe_of(folder, turned=True), folder / "backward")
    return folder


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.distilled_chunks.CHUNK", 8)


def run(models: list[Path], out: Path, **options: Any) -> Provenance:
    given: dict[str, Any] = {"search": GREEDY, "sentences": 20, "threads": 1}
    return distill(models, out, **(given | options))


def pairs_in(out: Path, found: Provenance) -> list[list[Pair]]:
    """The pairs of each model's file."""
    return [list(read_pairs(JsonLinesFile(path=out / part.file))) for part in found.models]


def translations(model: Path, sentences: list[str]) -> list[str]:
    system = open_system(model, threads=1)
    return translate_sentences(system.stepper, system.tokenizer, sentences, GREEDY)


def worth_keeping(pairs: Iterable[Pair]) -> list[Pair]:
    return list(dict.fromkeys(pair for pair in pairs if pair.src and pair.tgt))


def test_each_model_writes_its_side_of_the_pairs(corpus: Path, tmp_path: Path) -> None:
    found = run([corpus / "forward", corpus / "backward"], tmp_path / "out")
    sources, targets = map(list, zip(*random_pairs(20), strict=True))
    forward = map(Pair, sources, translations(corpus / "forward", sources))
    backward = map(Pair, translations(corpus / "backward", targets), targets)
    expected = [worth_keeping(forward), worth_keeping(backward)]
    assert pairs_in(tmp_path / "out", found) == expected
    assert min(map(len, expected)) > 5


def test_provenance_says_whose_translations_these_are(corpus: Path, tmp_path: Path) -> None:
    found = run([corpus / "forward"], tmp_path / "out")
    system = open_system(corpus / "forward", threads=1)
    (part,) = found.models
    assert (part.weights_sha256, part.direction) == (system.sha256, "forward")
    assert part.translated == part.written + part.repeated + part.blank == 20
    assert found.corpus_sha256 == open_corpus(system.recipe.corpus).sha256
    assert (found.source, found.target, found.sentences) == ("en", "de", 20)
    assert found.search["beam_size"] == 1
    assert 0 <= part.score.value <= 100
    assert part.score.test_set == "own:en-de:train, 20 pairs"
    assert f"forward): {part.written} pairs of 20, " in part.line()
    left = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert left == [".lock", "corpus.yaml", "distilled.json", part.file, "plan.json"]


def test_a_killed_distillation_loses_the_chunk_in_work_only(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run([corpus / "forward"], tmp_path / "whole")
    translated: list[int] = []

    def counting(*arguments: Any) -> list[str]:
        if len(translated) == 2:
            raise KeyboardInterrupt
        translated.append(len(arguments[2]))
        return translate_sentences(*arguments)

    monkeypatch.setattr(training.distill, "translate_sentences", counting)
    with pytest.raises(KeyboardInterrupt):
        run([corpus / "forward"], tmp_path / "out")
    assert translated == [8, 8]
    translated.clear()
    continued = run([corpus / "forward"], tmp_path / "out")
    assert translated == [4]
    assert continued == whole


def test_the_same_again_translates_nothing(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run([corpus / "forward"], tmp_path / "out")
    monkeypatch.delattr(training.distill, "translate_sentences")
    assert run([corpus / "forward"], tmp_path / "out", keep_original=False) == first
    section = yaml.safe_load((tmp_path / "out/corpus.yaml").read_text(encoding="utf-8"))
    assert section["corpus"]["keep_original"] is False


def test_a_folder_of_another_distillation_is_refused(corpus: Path, tmp_path: Path) -> None:
    run([corpus / "forward"], tmp_path / "out")
    with pytest.raises(ConfigError, match=r"another distillation, of other models; repeat"):
        run([corpus / "backward"], tmp_path / "out", corpus=recipe_of(corpus).corpus)
    with pytest.raises(ConfigError, match=r"of other sentences, search;"):
        run([corpus / "forward"], tmp_path / "out", sentences=10, search=SearchOptions())
    (tmp_path / "out/plan.json").write_text("[")
    with pytest.raises(ConfigError, match=r"plan\.json is damaged"):
        run([corpus / "forward"], tmp_path / "out")


def test_two_processes_do_not_share_a_folder(corpus: Path, tmp_path: Path) -> None:
    with (
        locked(tmp_path / "out"),
        pytest.raises(CheckpointError, match="in use by another process"),
    ):
        run([corpus / "forward"], tmp_path / "out")


def test_a_model_of_other_languages_is_refused(corpus: Path, tmp_path: Path) -> None:
    french = recipe_of(corpus, target="fr").corpus
    with pytest.raises(ConfigError, match=r"tiny translates en-de, but the text is en-fr; leave"):
        run([corpus / "forward"], tmp_path / "out", corpus=french)


def test_a_model_given_twice_is_refused(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"tiny \(\w{12}\) is given twice"):
        run([corpus / "forward", corpus / "forward/final"], tmp_path / "out")


def test_translations_are_not_translated_again(corpus: Path, tmp_path: Path) -> None:
    run([corpus / "forward"], tmp_path / "first")
    student = recipe_of(corpus, extra_train=[str(tmp_path / "first")], keep_original=False).corpus
    again = run([corpus / "forward"], tmp_path / "second", corpus=student, sentences=None)
    assert again.models[0].translated == 200


def test_a_student_trains_on_its_teacher_s_pairs_and_pieces(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run([corpus / "forward"], out)
    values = recipe_values(corpus) | yaml.safe_load((out / "corpus.yaml").read_text())
    values["subwords"] = {"model": str(corpus / "forward")}
    prepared = prepare(Recipe.model_validate(values), tmp_path / "student", None)
    original = sum(1 for _ in prepared.corpus.pairs("train"))
    assert original < prepared.dataset.facts.pairs <= original + 20
    assert prepared.validation == random_pairs(12, seed=1)[:4]


def test_the_section_repeats_what_is_not_a_default(corpus: Path) -> None:
    chosen = recipe_of(corpus, train_pairs=50).corpus
    section = yaml.safe_load(corpus_section(Path("runs/d"), chosen, keep_original=True))["corpus"]
    assert section["train_pairs"] == 50
    assert section["extra_train"] == ["runs/d"]
    assert "cleaning" not in section


def test_collecting_counts_and_drops_blank_and_repeated_pairs(tmp_path: Path) -> None:
    chunks = Chunks(tmp_path)
    chunks.write(0, [Pair("a", "x"), Pair("b", " ")])
    chunks.write(2, [Pair("a", "x"), Pair("a", "y")])
    counts = collect(chunks.read(), tmp_path / "all.jsonl.zst")
    assert (counts.translated, counts.written, counts.repeated, counts.blank) == (4, 2, 1, 1)
    file = JsonLinesFile(path=tmp_path / "all.jsonl.zst")
    assert list(read_pairs(file)) == [Pair("a", "x"), Pair("a", "y")]


def test_only_chunks_that_are_not_on_disk_are_missing(tmp_path: Path) -> None:
    pairs = [Pair(str(n), str(n)) for n in range(20)]
    chunks = Chunks(tmp_path / "c")
    assert [(first, len(chunk)) for first, chunk in chunks.missing(pairs)] == [
        (0, 8),
        (8, 8),
        (16, 4),
    ]
    chunks.write(8, pairs[8:16])
    assert [first for first, _ in chunks.missing(pairs)] == [0, 16]
    assert chunks.written() == 8
    assert list(chunks.read()) == pairs[8:16]


def test_the_verb_says_what_it_wrote_and_what_to_type_next(corpus: Path, tmp_path: Path) -> None:
    flags = ["--out", str(tmp_path / "out"), "--sentences", "4", "--beam-size", "2"]
    flags += ["--threads", "1", "--max-rows", "4", "--only-distilled"]
    done = CliRunner().invoke(training.cli.distill, [str(corpus / "forward"), *flags])
    assert done.exit_code == 0, done.output
    first, last = done.output.splitlines()[-2:]
    assert first.startswith("tiny (")
    assert "pairs of 4, " in first
    assert last == (
        f"next: seq2serve train RECIPE --set corpus.extra_train={tmp_path / 'out'} "
        "--set corpus.keep_original=false"
    )


def test_the_verb_refuses_a_search_out_of_range(corpus: Path, tmp_path: Path) -> None:
    flags = ["--out", str(tmp_path / "out"), "--beam-size", "0"]
    done = CliRunner().invoke(training.cli.distill, [str(corpus / "forward"), *flags])
    assert isinstance(done.exception, ConfigError)
    assert "beam_size" in str(done.exception)
