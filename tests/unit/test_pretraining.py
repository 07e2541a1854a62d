"""Learning from plain text: what is hidden, what is asked, and that it helps."""

from collections import Counter
from itertools import pairwise

import pytest
import torch

from mt.config import validate
from mt.errors import ConfigError
from mt.tokenizer import BOS_ID, EOS_ID, PAD_ID
from tests.tiny_models import tiny_decoder_only, tiny_gru, tiny_transformer
from tests.tiny_run import tiny_tokenizer
from training.batching import Batch, collate
from training.loss import LossConfig
from training.objective import build_objective
from training.pretraining import (
    HIDDEN_ID,
    PretrainingConfig,
    build_predict,
    fill_in,
    go_on,
    infilled,
    masked_words,
)

WORDS = torch.arange(4, 4 + 12)


def sentences(rows: int) -> torch.Tensor:
    """Rows of 12 words, every second one cut to 5 and padded."""
    src = torch.full((rows, 13), PAD_ID)
    src[:, :12], src[:, 12] = WORDS, EOS_ID
    src[1::2, 5], src[1::2, 6:] = EOS_ID, PAD_ID
    return src


def batch_of(*rows: list[int]) -> Batch:
    ids = [torch.tensor(row, dtype=torch.int32).numpy() for row in rows]
    return collate(ids, ids)


def test_infilling_keeps_order_ends_and_the_share() -> None:
    torch.manual_seed(1)
    src = sentences(400)
    holed = infilled(src, share=0.3, mean_span=3.0)
    left = 0
    for before, after in zip(src.tolist(), holed.tolist(), strict=True):
        length = after.index(EOS_ID)
        assert set(after[length + 1 :]) <= {PAD_ID}
        seen = [i for i in after[:length] if i != HIDDEN_ID]
        assert seen == [i for i in before if i in seen and i != EOS_ID]  # in order, none new
        assert (HIDDEN_ID, HIDDEN_ID) not in pairwise(after)  # a span, once
        left += len(seen)
    words = 200 * (12 + 5)
    assert 0.6 < left / words < 0.85  # spans overlap and end with the sentence


def test_without_holes_a_sentence_stays() -> None:
    src = sentences(6)
    assert torch.equal(infilled(src, share=1e-9, mean_span=3.0), src)


def test_masking_hides_most_and_leaves_ends_alone() -> None:
    torch.manual_seed(2)
    src = sentences(2000)
    masked, chosen = masked_words(src, share=0.15, vocab_size=50)
    words = (src != PAD_ID) & (src != EOS_ID)
    assert not (chosen & ~words).any()
    assert torch.equal(masked[~chosen], src[~chosen])
    assert chosen.sum() / words.sum() == pytest.approx(0.15, abs=0.01)
    kinds = Counter(
        "hidden" if new == HIDDEN_ID else "same" if new == old else "other"
        for old, new in zip(src[chosen].tolist(), masked[chosen].tolist(), strict=True)
    )
    assert kinds["hidden"] / chosen.sum() == pytest.approx(0.8, abs=0.02)
    assert kinds["same"] / chosen.sum() == pytest.approx(0.1, abs=0.02)


def test_at_least_one_word_is_asked_for() -> None:
    _, chosen = masked_words(torch.tensor([[5, EOS_ID]]), share=1e-9, vocab_size=50)
    assert chosen.tolist() == [[True, False]]


def test_masked_words_are_read_off_the_encoder() -> None:
    torch.manual_seed(3)
    model, batch = tiny_transformer(), batch_of([5, 6, 7, 8], [9, 10])
    hidden, targets = fill_in(model, batch, share=0.5)
    assert hidden.shape == (len(targets), 16)
    assert set(targets.tolist()) <= {5, 6, 7, 8, 9, 10}


def test_an_encoder_of_another_width_cannot_fill_in() -> None:
    with pytest.raises(ConfigError, match=r"encoder of GRU.*choose denoising"):
        fill_in(tiny_gru(), batch_of([5, 6]), share=0.5)


def test_going_on_reads_no_source() -> None:
    model, tgt = tiny_decoder_only(), [5, 6, 7]
    hidden, targets = go_on(model, batch_of(tgt))
    assert targets.tolist() == [*tgt, EOS_ID]
    expected = model.hidden(torch.tensor([[EOS_ID]]), torch.tensor([[BOS_ID, *tgt]]))[0]
    torch.testing.assert_close(hidden, expected)


@pytest.mark.parametrize("objective", ["denoising", "masked", "causal"])
def test_the_loss_is_per_target_token_and_falls(objective: str) -> None:
    torch.manual_seed(4)
    config = validate({"pretraining": {"objective": objective}}, LossConfig, "loss")
    loss = build_objective(config, tiny_tokenizer())
    model, batch = tiny_transformer().train(), batch_of([5, 6, 7, 8], [8, 7, 6, 5])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    seen = []
    for _ in range(60):
        optimizer.zero_grad()
        nats = loss(model, batch) / batch.target_tokens
        nats.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        seen.append(nats.item())
    assert sum(seen[-10:]) < 0.75 * sum(seen[:10])


def test_one_objective_at_a_time() -> None:
    both = {"pretraining": {"objective": "causal"}, "r_drop": 1.0}
    with pytest.raises(ConfigError, match="r_drop and pretraining are 2 objectives"):
        validate(both, LossConfig, "loss")


def test_every_objective_has_its_question() -> None:
    for objective in ("denoising", "masked", "causal"):
        predict = build_predict(PretrainingConfig(objective=objective))
        hidden, targets = predict(tiny_transformer(), batch_of([5, 6, 7], [8, 9, 10]))
        assert len(hidden) == len(targets) > 0
