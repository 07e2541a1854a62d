"""Damaged and hostile bundles: an error of ours in one line, whatever the bytes are."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mt import bundle as bundles
from mt.errors import BundleError, EngineError
from mt.tokenizer import EOS_ID, UNK_ID
from serving.onnx_stepper import open_stepper
from tests.echo_bundle import write_echo_bundle

GRAPHS = ("encoder.onnx", "step.onnx")
damages = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=8)), max_size=4
)
"""Where in a file, as part of its length, which bytes are put in place of those there."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "echo"
    write_echo_bundle(folder)
    return folder


@contextmanager
def copied(whole: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(shutil.copytree(whole, Path(folder) / "copy"))


def damaged(content: bytes, places: list[tuple[float, bytes]], kept: float) -> bytes:
    found = bytearray(content)
    for place, data in places:
        at = int(place * len(found))
        found[at : at + len(data)] = data
    return bytes(found[: round(kept * len(found))])


def vouch_for(folder: Path, name: str, content: bytes) -> None:
    """Write a file and have the manifest say that it belongs: a bundle made to do harm."""
    (folder / name).write_bytes(content)
    manifest = json.loads((folder / bundles.MANIFEST).read_text())
    manifest["files"][name] = {"sha256": bundles.sha256(content), "size": len(content)}
    (folder / bundles.MANIFEST).write_text(json.dumps(manifest))


def open_and_step(folder: Path) -> None:
    """What a server does first; says no, in one line, or works."""
    said = ""
    try:
        open_stepper(bundles.open(folder)).admit([[UNK_ID, EOS_ID]])
    except (BundleError, EngineError) as error:
        said = str(error)
    assert "\n" not in said
    assert len(said) < 2000


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(GRAPHS), damages, st.floats(0, 1))
def test_damaged_graphs_that_the_manifest_vouches_for(
    whole: Path, name: str, places: list[tuple[float, bytes]], kept: float
) -> None:
    with copied(whole) as folder:
        vouch_for(folder, name, damaged((folder / name).read_bytes(), places, kept))
        open_and_step(folder)


@settings(max_examples=40, deadline=None)
@given(damages, st.floats(0, 1))
def test_a_damaged_tokenizer_that_the_manifest_vouches_for(
    whole: Path, places: list[tuple[float, bytes]], kept: float
) -> None:
    with copied(whole) as folder:
        content = (folder / bundles.TOKENIZER).read_bytes()
        vouch_for(folder, bundles.TOKENIZER, damaged(content, places, kept))
        open_and_step(folder)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_manifest(whole: Path, data: st.DataObject) -> None:
    with copied(whole) as folder:
        path = folder / bundles.MANIFEST
        manifest = json.loads(path.read_text())
        for key in data.draw(st.lists(st.sampled_from(sorted(manifest)), max_size=3)):
            manifest[key] = data.draw(values)
        path.write_text(json.dumps(manifest), encoding="utf-8")
        open_and_step(folder)


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_as_a_manifest(whole: Path, content: bytes) -> None:
    with copied(whole) as folder:
        (folder / bundles.MANIFEST).write_bytes(content)
        with pytest.raises(BundleError):
            bundles.open(folder)
