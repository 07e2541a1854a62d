"""Ranges, scales and integer weights, by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.tiny_models import tiny_gru, tiny_transformer
from training.export.quantize import Range, calibrate, quantize, quantize_weight, saturation
from training.models.seq2seq import Seq2Seq

SENTENCES = [([5, 6, 7, 3], [2, 8, 9]), ([4, 3], [2, 10]), ([11, 12, 3], [2, 13, 14, 15])]


def test_scale_and_zero_point_of_a_lopsided_range() -> None:
    found = Range(-1.0, 4.1)
    assert found.scale == pytest.approx(5.1 / 255)
    assert found.zero_point == 50


def test_a_range_without_negatives_starts_at_step_zero() -> None:
    assert Range(0.0, 2.0).zero_point == 0
    assert Range(-2.0, 0.0).zero_point == 255


def test_a_layer_that_reads_only_zeros_has_a_scale() -> None:
    assert Range(0.0, 0.0).scale > 0


def test_weights_are_scaled_by_output() -> None:
    weight = np.array([[1.0, -0.5], [0.0, 0.0], [-3.2, 0.1]], np.float32)
    integers, scales = quantize_weight(weight)
    assert integers.tolist() == [[64, -32], [0, 0], [-64, 2]]
    assert scales[0] == pytest.approx(1 / 64)
    assert scales[2] == pytest.approx(0.05)


@pytest.mark.parametrize("model", [tiny_transformer(), tiny_gru()], ids=["transformer", "gru"])
def test_every_linear_layer_is_calibrated(model: Seq2Seq) -> None:
    ranges = calibrate(model, SENTENCES)
    assert ranges.keys() == {n for n, m in model.named_modules() if isinstance(m, nn.Linear)}
    assert all(found.low <= 0 <= found.high for found in ranges.values())


def test_a_range_is_the_least_and_greatest_value_read() -> None:
    model = tiny_gru()
    seen: list[torch.Tensor] = []
    handle = model.first_state.register_forward_pre_hook(lambda _, x: seen.append(x[0]))
    found = calibrate(model, SENTENCES)["first_state"]
    handle.remove()
    values = torch.cat(seen)
    assert found == Range(values.min().item(), values.max().item())


def test_no_hook_stays_behind() -> None:
    model = tiny_transformer()
    calibrate(model, SENTENCES)
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_saturation_is_the_share_outside_the_range() -> None:
    model = tiny_transformer()
    ranges = calibrate(model, SENTENCES)
    assert set(saturation(model, ranges, SENTENCES).values()) == {0.0}
    narrow = dict.fromkeys(ranges, Range(0.0, 0.0))
    assert saturation(model, narrow, SENTENCES)["output"] == pytest.approx(1.0)


def test_the_report_names_every_layer() -> None:
    model = tiny_transformer()
    found = quantize(model, SENTENCES[:2], SENTENCES[2:])
    values = found.values()
    assert values["calibration_sentences"] == 2
    assert values["layers"].keys() == found.ranges.keys()
    assert found.by_layer(model)[model.output] == found.ranges["output"]
