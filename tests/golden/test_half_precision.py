"""16-bit graphs, and states that stay on a device, against 32-bit ones on the host.

ONNX Runtime computes 16-bit graphs on a CPU in 32 bits between casts: slow, and the same numbers
rounded where they are handed on. A device is played by the CPU: tensors are copied to it and back.
"""

from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch
from onnxruntime import InferenceSession

from mt.beam_search import Hypothesis, SearchOptions, search
from mt.bundle import Bundle
from mt.errors import ConfigError
from mt.stepper import Stepper
from serving.onnx_stepper import open_stepper
from serving.steps import onnx_graph
from serving.steps.onnx_graph import OnDevice, OnnxGraph
from tests.golden.test_onnx_parity import MODELS
from tests.tiny_bundle import VOCAB_SIZE, random_sources, write_tiny_bundle
from tests.tiny_models import tiny_transformer

SOURCES = random_sources(seed=3, count=12)
WIDE = SearchOptions(beam_size=4, max_length=16)
LONG = SearchOptions(beam_size=4, min_length=40, max_length=48)
TOLERANCE = 0.05  # nats: of a token, and between two translations that 16 bits take for each other


def best(stepper: Stepper, max_rows: int = 24, options: SearchOptions = WIDE) -> list[Hypothesis]:
    """Best translations, sentences coming and going while others run."""
    return [found[0] for found in search(stepper, SOURCES, options, max_rows)]


@pytest.mark.parametrize("name", MODELS)
def test_sixteen_bits_choose_the_same_or_as_good(name: str, tmp_path: Path) -> None:
    bundle = write_tiny_bundle(tmp_path / "bundle", MODELS[name](), half=True)
    wide, narrow = best(open_stepper(bundle)), best(open_stepper(bundle, "fp16"))
    as_good = 0
    for wanted, found in zip(wide, narrow, strict=True):
        as_good += found.score == pytest.approx(wanted.score, abs=TOLERANCE)
        if wanted.ids == found.ids:
            assert found.token_log_probs == pytest.approx(wanted.token_log_probs, abs=TOLERANCE)
    assert as_good >= len(SOURCES) - 2  # a near tie may lead a beam of random weights elsewhere


def test_sixteen_bits_take_half_the_room(tmp_path: Path) -> None:
    bundle = write_tiny_bundle(tmp_path / "bundle", MODELS["transformer"](), half=True)
    wide, narrow = open_stepper(bundle).footprint, open_stepper(bundle, "fp16").footprint
    assert (wide.entry, wide.source_token) == (2 * narrow.entry, 2 * narrow.source_token)
    sizes = [(bundle.folder / f"step.{p}.onnx").stat().st_size for p in ("fp32", "fp16")]
    assert sizes[1] < 0.7 * sizes[0]


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize(
    "name", ["transformer", "recurrent", "decoder-only", "gru", "recurrent-lstm-deep", "hybrid"]
)
def test_states_on_a_device_change_nothing(name: str, precision: str, tmp_path: Path) -> None:
    bundle = write_tiny_bundle(tmp_path / "bundle", MODELS[name](), half=True)
    at_home = best(open_stepper(bundle, precision))
    away = best(on_a_device(bundle, precision))
    assert [h.ids for h in away] == [h.ids for h in at_home]
    assert [h.token_log_probs for h in away] == [h.token_log_probs for h in at_home]


def test_caches_on_a_device_stay_there_from_step_to_step(tmp_path: Path) -> None:
    """Only where a pool grows or is packed is it fetched."""
    model = tiny_transformer(vocab_size=VOCAB_SIZE)
    stepper = on_a_device(write_tiny_bundle(tmp_path / "bundle", model), "fp32")
    with (
        patch.object(OnDevice, "fetch", autospec=True, side_effect=OnDevice.fetch) as fetch,
        patch.object(OnnxGraph, "run_into", autospec=True, side_effect=OnnxGraph.run_into) as step,
    ):
        best(stepper, options=LONG)
    n_caches = 2 * len(model.decoder.layers)
    assert 0 < fetch.call_count / n_caches < step.call_count / 4


def on_a_device(bundle: Bundle, precision: str) -> Stepper:
    """A stepper whose states are kept as on a GPU, on the one device that is always there."""

    def home(session: InferenceSession, device: str) -> OnDevice:
        kinds = {value.type for value in session.get_inputs()}
        return OnDevice("cpu", np.float16 if "tensor(float16)" in kinds else np.float32)

    with patch.object(onnx_graph, "_home", home):
        return open_stepper(bundle, precision)


def test_a_gpu_runs_no_eight_bits(tmp_path: Path) -> None:
    model = MODELS["transformer"]()
    sentence = ([5, 6, 3], [2, 7, 8])
    bundle = write_tiny_bundle(tmp_path / "bundle", model, [sentence])
    with pytest.raises(ConfigError, match=r"int8 graphs run on a CPU only.*fp16 or fp32"):
        open_stepper(bundle, "int8", device="cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", ["transformer", "gru", "decoder-only"])
def test_a_gpu_translates_alike(name: str, tmp_path: Path) -> None:
    bundle = write_tiny_bundle(tmp_path / "bundle", MODELS[name](), half=True)
    on_cpu, on_gpu = best(open_stepper(bundle, "fp32")), best(open_stepper(bundle, device="cuda"))
    for wanted, found in zip(on_cpu, on_gpu, strict=True):
        assert found.score == pytest.approx(wanted.score, abs=TOLERANCE)
