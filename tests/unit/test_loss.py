"""Label-smoothed cross-entropy against numbers worked by hand and against PyTorch's own."""

import math

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.nn.functional as F

from mt.tokenizer import PAD_ID
from tests.tiny_models import tiny_gru, tiny_transformer
from training.batching import collate
from training.loss import batch_loss, label_smoothed_cross_entropy
from training.models.seq2seq import Seq2Seq


def ids(*values: int) -> npt.NDArray[np.int32]:
    return np.array(values, dtype=np.int32)


def test_two_words_of_equal_logit_cost_log_two_whatever_the_smoothing() -> None:
    logits, targets = torch.zeros(1, 2), torch.tensor([1])
    for smoothing in (0.0, 0.1, 0.5):
        loss = label_smoothed_cross_entropy(logits, targets, smoothing)
        assert loss.item() == pytest.approx(math.log(2))


def test_smoothing_by_hand() -> None:
    # softmax of (log 1, log 1, log 2) is (1/4, 1/4, 1/2); smoothing 0.3 over three words gives the
    # reference 0.7 + 0.1 and the others 0.1 each
    logits = torch.log(torch.tensor([[1.0, 1.0, 2.0]]))
    expected = 0.8 * math.log(2) + 0.1 * math.log(4) + 0.1 * math.log(4)
    loss = label_smoothed_cross_entropy(logits, torch.tensor([2]), 0.3)
    assert loss.item() == pytest.approx(expected)


def test_it_is_a_sum_over_tokens() -> None:
    logits, targets = torch.randn(5, 7), torch.tensor([1, 2, 3, 4, 5])
    parts = [
        label_smoothed_cross_entropy(logits[i : i + 1], targets[i : i + 1], 0.1) for i in range(5)
    ]
    whole = label_smoothed_cross_entropy(logits, targets, 0.1)
    assert whole.item() == pytest.approx(sum(part.item() for part in parts), rel=1e-5)


def test_bfloat16_logits_are_summed_in_float32() -> None:
    logits = torch.zeros(3000, 4, dtype=torch.bfloat16)
    loss = label_smoothed_cross_entropy(logits, torch.zeros(3000, dtype=torch.int64), 0.1)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(3000 * math.log(4), rel=1e-5)


@pytest.mark.parametrize("model", [tiny_transformer(dropout=0.0), tiny_gru()])
def test_padding_costs_nothing(model: Seq2Seq) -> None:
    batch = collate([ids(5, 6), ids(7)], [ids(8, 9), ids()])
    logits = model(batch.src, batch.tgt_in)
    expected = F.cross_entropy(
        logits.flatten(0, 1),
        batch.tgt_out.flatten(),
        ignore_index=PAD_ID,
        reduction="sum",
        label_smoothing=0.1,
    )
    assert batch.target_tokens == 4
    assert batch_loss(model, batch, 0.1).item() == pytest.approx(expected.item(), rel=1e-5)
