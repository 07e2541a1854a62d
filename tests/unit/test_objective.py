"""What is minimised: R-Drop by hand, and what it does to a model that dropout cannot change."""

import pytest
import torch
import torch.nn.functional as F

from tests.tiny_models import tiny_transformer
from tests.tiny_run import tiny_tokenizer
from tests.unit.test_loss import ids
from training.batching import collate
from training.loss import LossConfig, batch_loss
from training.objective import build_objective, r_drop_loss

BATCH = collate([ids(5, 6), ids(7)], [ids(8, 9), ids(4)])


def test_without_dropout_r_drop_is_cross_entropy() -> None:
    model = tiny_transformer(dropout=0.0).train()
    expected = batch_loss(model, BATCH, 0.1)
    assert r_drop_loss(model, BATCH, 0.1, alpha=5.0).item() == pytest.approx(expected.item())


def test_r_drop_adds_the_symmetric_divergence_of_two_passes() -> None:
    model = tiny_transformer(dropout=0.4).train()
    torch.manual_seed(5)
    found = r_drop_loss(model, BATCH, 0.0, alpha=3.0)
    torch.manual_seed(5)
    first, second = (
        torch.log_softmax(model(BATCH.src, BATCH.tgt_in).flatten(0, 1)[BATCH.real], -1)
        for _ in range(2)
    )
    entropy = -(first + second).gather(1, BATCH.targets[:, None]).sum() / 2
    both = F.kl_div(first, second, reduction="sum", log_target=True) + F.kl_div(
        second, first, reduction="sum", log_target=True
    )
    assert both.item() > 0.01
    assert found.item() == pytest.approx((entropy + 3.0 / 4 * both).item(), rel=1e-4)


def test_the_recipe_chooses() -> None:
    model = tiny_transformer(dropout=0.4).train()
    losses = []
    for config in (LossConfig(label_smoothing=0.0), LossConfig(label_smoothing=0.0, r_drop=4.0)):
        torch.manual_seed(1)
        losses.append(build_objective(config, tiny_tokenizer())(model, BATCH).item())
    torch.manual_seed(1)
    assert losses[0] == pytest.approx(batch_loss(model, BATCH, 0.0).item())
    assert losses[1] > losses[0]
