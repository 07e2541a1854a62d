import json
from pathlib import Path
from typing import Any

import pytest

from mt import bundle
from mt.errors import BundleError
from tests.fake_bundle import fake_bundle, small_tokenizer

GRAPHS = {
    "fp32": {"encoder": "encoder.onnx", "step": "step.onnx"},
    "int8": {"encoder": "encoder.int8.onnx", "step": "step.int8.onnx"},
}


def parts(**replaced: bytes) -> dict[str, bytes]:
    """The files of a bundle; graphs are not looked into here, so any bytes do."""
    graphs = [name for pair in GRAPHS.values() for name in pair.values()]
    files = {name: f"graph {name}".encode() for name in graphs}
    files |= {"tokenizer.model": small_tokenizer().model, "MODEL_CARD.md": b"# Fake\n"}
    return files | replaced


def facts(**replaced: Any) -> dict[str, Any]:
    """The fields of a manifest, but for its files."""
    manifest = fake_bundle(graphs=GRAPHS).manifest.model_dump(mode="json", exclude={"files"})
    return manifest | replaced


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound bundle."""
    bundle.write(tmp_path / "fr-en", parts(), facts())
    return tmp_path / "fr-en"


def rewrite(folder: Path, **replaced: Any) -> None:
    """Change the manifest on disk; None takes a key away."""
    path = folder / "manifest.json"
    values = json.loads(path.read_text()) | replaced
    values = {key: value for key, value in values.items() if value is not None}
    path.write_text(json.dumps(values))


def refused(folder: Path) -> str:
    """What opening says, in one line."""
    with pytest.raises(BundleError) as caught:
        bundle.open(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_was_written_opens(folder: Path) -> None:
    opened = bundle.open(folder)
    assert opened.manifest.name == "fake"
    assert opened.manifest.files["MODEL_CARD.md"].size == len(b"# Fake\n")
    assert opened.tokenizer.encode("Jane") == small_tokenizer().encode("Jane")


def test_graphs_of_the_default_precision_unless_asked(folder: Path) -> None:
    opened = bundle.open(folder)
    assert opened.graphs() == (folder / "encoder.onnx", folder / "step.onnx")
    assert opened.graphs("int8")[1] == folder / "step.int8.onnx"
    with pytest.raises(BundleError, match="has no fp16 graphs, only fp32, int8"):
        opened.graphs("fp16")


def test_all_problems_are_named_at_once(folder: Path) -> None:
    (folder / "MODEL_CARD.md").unlink()
    (folder / "notes.txt").write_text("mine")
    (folder / "encoder.onnx").write_bytes(b"graph ENCODER.onnx")
    (folder / "step.onnx").write_bytes(b"graph")
    message = refused(folder)
    assert "MODEL_CARD.md is missing" in message
    assert "notes.txt does not belong" in message
    assert "encoder.onnx was changed" in message
    assert "step.onnx has 5 bytes, not 15" in message


def test_a_link_is_no_part_of_a_bundle(folder: Path, tmp_path: Path) -> None:
    card = folder / "MODEL_CARD.md"
    card.rename(tmp_path / "card.md")
    card.symlink_to(tmp_path / "card.md")
    assert "MODEL_CARD.md is not a plain file" in refused(folder)


def test_a_file_that_cannot_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", deny)
    assert "cannot be read (Permission denied)" in refused(folder)


def test_no_folder_and_no_bundle(tmp_path: Path) -> None:
    assert "no such bundle folder" in refused(tmp_path / "nothing")
    assert "lacks manifest.json" in refused(tmp_path)


@pytest.mark.parametrize("text", [b"{", b"\xff\xfe", b"[" * 100_000, b""])
def test_a_manifest_that_is_not_json(folder: Path, text: bytes) -> None:
    (folder / "manifest.json").write_bytes(text)
    assert "not readable JSON; export the bundle again" in refused(folder)


@pytest.mark.parametrize(("text", "version"), [(b"[]", "None"), (b'{"schema_version": 2}', "2")])
def test_another_schema_is_refused_by_its_number(folder: Path, text: bytes, version: str) -> None:
    (folder / "manifest.json").write_bytes(text)
    assert f"has schema_version {version}, this program reads 1" in refused(folder)


def test_graphs_of_another_signature_are_refused_by_its_number(folder: Path) -> None:
    path = folder / "manifest.json"
    values = json.loads(path.read_text("utf-8")) | {"graph_version": 1}
    path.write_text(json.dumps(values), encoding="utf-8")
    message = refused(folder)
    assert "has graph_version 1, this program reads 2" in message
    assert "seq2serve export RUN" in message


@pytest.mark.parametrize(
    ("replaced", "problem"),
    [
        ({"family": "no family"}, "family: String should match pattern"),
        ({"name": "../up"}, "name: String should match pattern"),
        ({"source_language": "FRENCH"}, "source_language: String should match"),
        ({"opset": None}, "opset: Field required"),
        ({"colour": "blue"}, "colour: Extra inputs are not permitted"),
        ({"graphs": {}}, "graphs: Dictionary should have at least 1 item"),
        ({"special_ids": {"pad": 1, "unk": 0, "bos": 2, "eos": 3}}, "special ids are (1, 0, 2, 3)"),
        ({"default_precision": "fp16"}, "no graphs for precision fp16"),
        ({"vocab_size": 7}, "tokenizer.model has 120 pieces, the graphs 7"),
    ],
)
def test_a_manifest_that_does_not_fit(folder: Path, replaced: dict[str, Any], problem: str) -> None:
    rewrite(folder, **replaced)
    assert problem in refused(folder)


def test_a_file_the_manifest_does_not_list(folder: Path) -> None:
    files = json.loads((folder / "manifest.json").read_text())["files"]
    del files["MODEL_CARD.md"], files["step.onnx"]
    rewrite(folder, files=files)
    message = refused(folder)
    assert "does not list MODEL_CARD.md" in message
    assert "does not list step.onnx" in message


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "sub/step.onnx", "..", ""])
def test_no_file_outside_the_folder_is_looked_at(folder: Path, name: str) -> None:
    files = json.loads((folder / "manifest.json").read_text())["files"]
    rewrite(folder, files=files | {name: files["step.onnx"]})
    assert f"{name!r} cannot be the name of a file" in refused(folder)


def test_writing_replaces_an_older_bundle(folder: Path) -> None:
    bundle.write(folder, parts(), facts(name="newer"))
    assert bundle.open(folder).manifest.name == "newer"
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


@pytest.mark.parametrize(
    ("files", "manifest", "problem"),
    [
        ({"extra/name": b""}, {}, "'extra/name' cannot be the name"),
        ({"manifest.json": b""}, {}, "'manifest.json' cannot be the name"),
        ({"tokenizer.model": b"none"}, {}, "is not a SentencePiece model"),
        ({}, {"vocab_size": 7}, "has 120 pieces, the graphs 7"),
        ({}, {"default_precision": "fp16"}, "no graphs for precision fp16"),
        ({}, {"family": "no family"}, "family: String should match pattern"),
    ],
)
def test_parts_that_do_not_fit_leave_the_older_bundle(
    folder: Path, files: dict[str, bytes], manifest: dict[str, Any], problem: str
) -> None:
    with pytest.raises(BundleError, match=problem):
        bundle.write(folder, parts(**files), facts(name="newer", **manifest))
    assert bundle.open(folder).manifest.name == "fake"


def test_a_part_too_few_writes_nothing(tmp_path: Path) -> None:
    files = parts()
    del files["tokenizer.model"], files["step.int8.onnx"]
    with pytest.raises(BundleError, match=r"list step.int8.onnx; .* list tokenizer.model"):
        bundle.write(tmp_path / "fr-en", files, facts())
    assert not list(tmp_path.iterdir())


def test_what_is_no_bundle_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    for place in (tmp_path, tmp_path / "thesis.tex"):
        with pytest.raises(BundleError, match="exists and is not a bundle; choose another"):
            bundle.write(place, parts(), facts())
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BundleError, match=r"cannot be written \(.+\)"):
        bundle.write(tmp_path / "file" / "fr-en", parts(), facts())


def test_a_write_that_fails_half_way_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(BundleError, match="No space left on device"):
        bundle.write(tmp_path / "fr-en", parts(), facts())
    assert not list(tmp_path.iterdir())
