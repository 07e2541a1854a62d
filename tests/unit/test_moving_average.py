"""The moving average of the weights, by hand."""

import pytest
import torch

from tests.tiny_models import tiny_transformer
from training.moving_average import MovingAverage


def test_it_follows_by_hand() -> None:
    model = tiny_transformer()
    torch.nn.init.zeros_(model.output.weight)
    average = MovingAverage(model, decay=0.5)
    torch.nn.init.ones_(model.output.weight)
    average.follow(model, update=1)  # early: (1 + 1) / (10 + 1) of the old
    assert average.model.output.weight[0, 0].item() == pytest.approx(9 / 11)
    torch.nn.init.zeros_(model.output.weight)
    average.follow(model, update=1000)  # late: a half
    assert average.model.output.weight[0, 0].item() == pytest.approx(9 / 22)


def test_tied_weights_stay_tied_and_move_once() -> None:
    model = tiny_transformer()
    average = MovingAverage(model, decay=0.9)
    assert average.model.output.weight is average.model.get_submodule("src_embedding").weight
    assert not any(weights.requires_grad for weights in average.model.parameters())
    assert len(list(average.model.parameters())) == len(list(model.parameters()))
