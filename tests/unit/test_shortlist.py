"""The table of a vocabulary shortlist: what it lists, its file, and bundles without one."""

from pathlib import Path

import numpy as np
import pytest

from mt import bundle as bundles
from mt.errors import BundleError
from mt.shortlist import Shortlist
from serving.models import check
from serving.onnx_stepper import open_stepper
from serving.settings import BundleSettings, EngineSettings, ServeSettings
from tests.listing_stepper import random_shortlist
from tests.tiny_bundle import VOCAB_SIZE, tiny_manifest, write_tiny_bundle
from tests.tiny_models import tiny_transformer

# Source id 4 becomes 5 or 6, source id 6 becomes 7; eos and 8 are for everybody.
SHORTLIST = Shortlist(
    np.array([3, 8]), np.array([0, 0, 0, 0, 0, 2, 2, 3, 3, 3]), np.array([5, 6, 7])
)
MODEL = tiny_transformer(vocab_size=VOCAB_SIZE, encoder_layers=1, decoder_layers=1)


def test_a_sentence_lists_translations_frequent_ids_and_itself() -> None:
    assert SHORTLIST.vocab_size == 9
    assert SHORTLIST.of([6, 4, 4, 3]).tolist() == [3, 4, 5, 6, 7, 8]
    assert SHORTLIST.of([5, 3]).tolist() == [3, 5, 8]


def test_its_file_is_little_endian_numbers() -> None:
    data = SHORTLIST.to_bytes()
    numbers = [9, 2, 3, 8, 0, 0, 0, 0, 0, 2, 2, 3, 3, 3, 5, 6, 7]
    assert data == b"".join(number.to_bytes(4, "little") for number in numbers)
    again = Shortlist.from_bytes(data, 9)
    assert again.of([6, 4, 3]).tolist() == SHORTLIST.of([6, 4, 3]).tolist()
    assert again.to_bytes() == data


@pytest.mark.parametrize(
    "numbers",
    [
        [],
        [9],
        [9, 2],
        [8, 2, 3, 8, 0, 0, 0, 0, 0, 2, 2, 3, 3, 3, 5, 6, 7],  # another vocabulary
        [9, 0, 0, 0, 0, 0, 0, 2, 2, 3, 3, 3, 5, 6, 7],  # nothing for everybody
        [9, -1, 3, 8, 0, 0, 0, 0, 0, 2, 2, 3, 3, 3, 5, 6, 7],
        [9, 2**31 - 1, 3, 8, 0, 0, 0, 0, 0, 2, 2, 3, 3, 3, 5, 6, 7],
        [9, 2, 4, 8, 0, 0, 0, 0, 0, 2, 2, 3, 3, 3, 5, 6, 7],  # no end of sentence
        [9, 2, 3, 8, 0, 0, 0, 0, 0, 2, 2, 3, 3, 3, 5, 6],  # cut off
        [9, 2, 3, 8, 0, 0, 0, 0, 0, 2, 2, 3, 3],
        [9, 2, 3, 8, 1, 1, 1, 1, 1, 2, 2, 3, 3, 3, 5, 6, 7],  # does not begin at 0
        [9, 2, 3, 8, 0, 0, 0, 0, 0, 2, 1, 3, 3, 3, 5, 6, 7],  # falls
        [9, 2, 3, 8, 0, 0, 0, 0, 0, 2, 2, 3, 3, 3, 5, 6, 9],  # no such piece
        [9, 2, 3, -8, 0, 0, 0, 0, 0, 2, 2, 3, 3, 3, 5, 6, 7],
    ],
)
def test_a_file_that_contradicts_itself(numbers: list[int]) -> None:
    data = np.array(numbers, "<i4").tobytes()
    with pytest.raises(BundleError, match=r"s\.bin is no shortlist of 9 pieces; export"):
        Shortlist.from_bytes(data, 9, "s.bin")


def test_bytes_that_are_no_numbers() -> None:
    with pytest.raises(BundleError, match="no shortlist"):
        Shortlist.from_bytes(SHORTLIST.to_bytes() + b"?", 9)


def test_a_bundle_without_one_says_what_to_do(tmp_path: Path) -> None:
    bundle = write_tiny_bundle(tmp_path / "bundle", MODEL)
    assert bundle.manifest.shortlist is None
    for asked in (bundle.shortlist, bundle.shortlist_graphs):
        with pytest.raises(BundleError, match="has no vocabulary shortlist; export it again with"):
            asked()
    with pytest.raises(BundleError, match=r"--shortlist, or serve without engine\.shortlist"):
        open_stepper(bundle, shortlist=True)


def test_a_server_is_refused_before_it_starts(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("with", "without")]
    write_tiny_bundle(folders[0], MODEL, shortlist=random_shortlist(1), name="other")
    write_tiny_bundle(folders[1], MODEL)
    served = [BundleSettings(path=str(folder)) for folder in folders]
    engine = EngineSettings(shortlist=True)
    assert len(check(ServeSettings(bundles=served[:1], engine=engine))) == 1
    with pytest.raises(BundleError, match="without has no vocabulary shortlist"):
        check(ServeSettings(bundles=served, engine=engine))


def test_the_manifest_vouches_for_its_files(tmp_path: Path) -> None:
    bundle = write_tiny_bundle(tmp_path / "bundle", MODEL, shortlist=random_shortlist(1))
    table = bundle.folder / "shortlist.bin"
    table.write_bytes(table.read_bytes()[:-4])
    with pytest.raises(BundleError, match=r"shortlist\.bin has \d+ bytes, not"):
        bundles.open(bundle.folder)
    table.unlink()
    with pytest.raises(BundleError, match=r"shortlist\.bin cannot be read"):
        bundle.shortlist()


def test_a_shortlist_comes_with_graphs_of_every_precision(tmp_path: Path) -> None:
    bundle = write_tiny_bundle(tmp_path / "bundle", MODEL, shortlist=random_shortlist(1))
    files = {name: (bundle.folder / name).read_bytes() for name in bundle.manifest.files}
    assert bundle.manifest.shortlist is not None
    facts = tiny_manifest(MODEL, ["fp32"]) | {"shortlist": bundle.manifest.shortlist.model_dump()}
    graphs = facts["shortlist"]["graphs"]
    facts["shortlist"]["graphs"] = {"int8": graphs["fp32"]}
    with pytest.raises(BundleError, match="the shortlist is not of the same precisions"):
        bundles.write(tmp_path / "other", files, facts)
    facts["shortlist"]["graphs"] = {"fp32": graphs["fp32"] | {"listing": "gone.onnx"}}
    with pytest.raises(BundleError, match=r"manifest\.json does not list gone\.onnx"):
        bundles.write(tmp_path / "other", files, facts)
