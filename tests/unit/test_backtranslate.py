"""`seq2serve backtranslate`: from plain text to a corpus that a recipe names, and its tag."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from mt.errors import ConfigError, CorpusError
from serving.commands.backtranslate_cli import PROVENANCE, backtranslate
from serving.commands.translate_cli import translate
from tests.echo_bundle import write_echo_bundle
from training.corpora import extra
from training.corpora.extra import ExtraPairs
from training.corpora.pair import Pair
from training.subwords import SubwordsConfig, train_subwords


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle") / "echo"
    write_echo_bundle(folder, source_language="fr", target_language="en")
    return folder


def run(bundle: Path, tmp_path: Path, *flags: str) -> str:
    (tmp_path / "mono.txt").write_text("Il dort.\n\nElle dort.\n")
    arguments = [str(bundle), str(tmp_path / "mono.txt"), "--out", str(tmp_path / "bt"), *flags]
    result = CliRunner().invoke(backtranslate, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_a_recipe_can_name_the_folder(tmp_path: Path, bundle: Path) -> None:
    said = run(bundle, tmp_path, "--beam-size", "1")
    assert f"corpus.extra_train={tmp_path / 'bt'} --set 'subwords.tags=[<BT>]'" in said
    pairs = ExtraPairs([tmp_path / "bt"], "en", "fr")  # the bundle goes the other way
    assert list(pairs.pairs()) == [
        Pair("<BT> Il dort.", "Il dort."),
        Pair("<BT> Elle dort.", "Elle dort."),
    ]
    assert list(pairs.sha256) == [str(tmp_path / "bt" / "mono.txt.jsonl")]
    with pytest.raises(CorpusError, match="holds en-fr pairs, but the corpus is fr-en"):
        list(ExtraPairs([tmp_path / "bt"], "fr", "en").pairs())


def test_forward_pairs_have_the_given_text_as_source_and_no_tag(
    tmp_path: Path, bundle: Path
) -> None:
    assert "subwords.tags" not in run(bundle, tmp_path, "--forward", "--beam-size", "1")
    found = list(ExtraPairs([tmp_path / "bt"], "fr", "en").pairs())
    assert found[0] == Pair("Il dort.", "Il dort.")
    facts = json.loads((tmp_path / "bt" / PROVENANCE).read_text())
    assert (facts["source"], facts["target"], facts["tag"]) == ("fr", "en", None)


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path, bundle: Path) -> None:
    text = tmp_path / "mono.txt"
    text.write_text("Il dort.\n")
    arguments = [str(bundle), str(text), "--out", str(text)]
    with pytest.raises(ConfigError, match=r"mono\.txt cannot be written \(File exists\)$"):
        CliRunner().invoke(backtranslate, arguments, catch_exceptions=False)


def test_both_halves_mean_the_same_file(tmp_path: Path) -> None:
    assert extra.SYNTHETIC == PROVENANCE
    (tmp_path / PROVENANCE).write_text("{}")
    with pytest.raises(CorpusError, match="is damaged; repeat its command"):
        list(ExtraPairs([tmp_path], "fr", "en").pairs())


def test_a_tag_is_one_piece() -> None:
    texts = ["a little house", "ein kleines haus"] * 9
    tokenizer = train_subwords(texts, SubwordsConfig(vocab_size=40, tags=("<BT>",)))
    assert "<BT>" in tokenizer.pieces(tokenizer.encode("<BT> a house"))


@pytest.mark.parametrize("flags", [["--scores"], ["--format", "srt"], ["--server", "http://x"]])
def test_flags_that_do_not_go_with_ray(flags: list[str], tmp_path: Path) -> None:
    arguments = ["--ray", "bundle", "file.txt", "--out", str(tmp_path), *flags]
    with pytest.raises(ConfigError, match="--ray goes without"):
        CliRunner().invoke(translate, arguments, catch_exceptions=False)
    with pytest.raises(ConfigError, match="--ray needs a BUNDLE, FILES and --out"):
        CliRunner().invoke(translate, ["--ray", "bundle", "a.txt"], catch_exceptions=False)
