"""Which graphs run where, and what is said where none can."""

import pytest

from mt.bundle import Manifest
from mt.errors import ConfigError
from serving.precision import precision_for
from tests.tiny_bundle import VOCAB_SIZE, tiny_manifest
from tests.tiny_models import tiny_gru


def manifest(*precisions: str) -> Manifest:
    values = tiny_manifest(tiny_gru(vocab_size=VOCAB_SIZE), precisions)
    return Manifest.model_validate({**values, "default_precision": precisions[0], "files": {}})


def test_a_cpu_runs_what_is_wanted_or_the_default() -> None:
    both = manifest("int8", "fp32")
    assert (precision_for(both), precision_for(both, "fp32")) == ("int8", "fp32")


@pytest.mark.parametrize(
    ("precisions", "wanted", "chosen"),
    [
        (["int8", "fp32", "fp16"], None, "fp16"),
        (["int8", "fp32"], None, "fp32"),
        (["int8", "fp32", "fp16"], "fp32", "fp32"),
    ],
)
def test_a_gpu_runs_the_narrowest_floats(
    precisions: list[str], wanted: str | None, chosen: str
) -> None:
    assert precision_for(manifest(*precisions), wanted, "cuda") == chosen


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ("int8", "int8 graphs run on a CPU only: with device cuda choose precision fp16 or fp32"),
        (None, "tiny has no graphs for device cuda; export it with --precision fp16"),
    ],
)
def test_eight_bits_are_not_for_a_gpu(wanted: str | None, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        precision_for(manifest("int8"), wanted, "cuda")
