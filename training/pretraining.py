"""What plain text can teach before there are pairs: three objectives over sentences.

A pretraining run's pairs have the same sentence on both sides. The symbol that hides words is the
unknown piece, which nothing else uses: no piece is lost or added by pretraining.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from mt.config import Strict
from mt.tokenizer import EOS_ID, PAD_ID, SPECIAL_IDS, UNK_ID
from training.batching import Batch
from training.models.seq2seq import Seq2Seq

HIDDEN_ID = UNK_ID


class PretrainingConfig(Strict):
    """Which words are hidden, and what is asked about them."""

    objective: Literal["denoising", "masked", "causal"] = Field(
        description="denoising: Lewis et al. 2020 (BART), text infilling, for encoder and decoder; "
        "masked: Devlin et al. 2019 (BERT), for an encoder; causal: Radford et al. 2018 (GPT), for "
        "a decoder"
    )
    share: float = Field(
        0.3, gt=0, lt=1, description="of the tokens that are hidden; BART 0.3, BERT 0.15"
    )
    mean_span: float = Field(3.0, ge=1, description="denoising: tokens of a hidden span, Poisson")


# Hidden states (n, d) from which the model predicts, and what they ought to predict (n,).
Predictions = tuple[Tensor, Tensor]
Predict = Callable[[Seq2Seq, Batch], Predictions]


def build_predict(config: PretrainingConfig) -> Predict:
    """What a recipe asks of its model."""
    if config.objective == "denoising":
        return lambda model, batch: denoise(model, batch, config.share, config.mean_span)
    if config.objective == "masked":
        return lambda model, batch: fill_in(model, batch, config.share)
    return go_on


def denoise(model: Seq2Seq, batch: Batch, share: float, mean_span: float) -> Predictions:
    """Write the sentence out of one with holes: Lewis et al. 2020, section 2.2, text infilling."""
    return _teacher_forced(model, replace(batch, src=infilled(batch.src, share, mean_span)))


def fill_in(model: Seq2Seq, batch: Batch, share: float) -> Predictions:
    """Say what some of the encoder's words were: Devlin et al. 2019, section 3.1, task 1."""
    masked, chosen = masked_words(batch.src, share, model.vocab_size)
    return model.source_states(masked)[chosen], batch.src[chosen]


def go_on(model: Seq2Seq, batch: Batch) -> Predictions:
    """Say each next word after an empty source: Radford et al. 2018, equation 1."""
    nothing = torch.full_like(batch.src[:, :1], EOS_ID)
    return _teacher_forced(model, replace(batch, src=nothing))


def _teacher_forced(model: Seq2Seq, batch: Batch) -> Predictions:
    hidden = model.hidden(batch.src, batch.tgt_in)
    return hidden.flatten(0, 1).index_select(0, batch.real), batch.targets


def infilled(src: Tensor, share: float, mean_span: float) -> Tensor:
    """Sentences (batch, src_len) in which each hidden span has become one symbol.

    A token starts a span with probability share / mean_span; its length is 1 + Poisson(mean_span -
    1), so that no span is empty. Draws from torch's generator of the CPU.
    """
    starts = torch.rand(src.shape) < share / mean_span
    lengths = 1 + torch.poisson(torch.full(src.shape, mean_span - 1.0)).long()
    reach = torch.where(starts, torch.arange(src.shape[1]) + lengths, 0).cummax(1).values
    hidden = (reach > torch.arange(src.shape[1])).to(src.device) & is_word(src)
    goes_on = torch.zeros_like(hidden)
    goes_on[:, 1:] = hidden[:, 1:] & hidden[:, :-1]
    return _closed_up(src.masked_fill(hidden, HIDDEN_ID), ~goes_on & (src != PAD_ID))


def masked_words(src: Tensor, share: float, vocab_size: int) -> tuple[Tensor, Tensor]:
    """Sentences with some words changed, and which were chosen (batch, src_len).

    Of those chosen, eight in ten are hidden, one is another word, one stays; at least one is
    chosen. Draws from torch's generator of the CPU.
    """
    draw = torch.rand(src.shape).to(src.device).masked_fill(~is_word(src), 2.0)
    chosen = draw < share
    if not chosen.any():
        chosen = draw == draw.min()
    how = torch.rand(src.shape).to(src.device)
    others = torch.randint(len(SPECIAL_IDS), vocab_size, src.shape).to(src.device)
    masked = src.masked_fill(chosen & (how < 0.8), HIDDEN_ID)
    return torch.where(chosen & (how >= 0.9), others, masked), chosen


def is_word(ids: Tensor) -> Tensor:
    """True at ids that stand for text."""
    return (ids != PAD_ID) & (ids != EOS_ID)


def _closed_up(ids: Tensor, kept: Tensor) -> Tensor:
    """The kept ids of each row moved together to the left, padded on the right."""
    width = int(kept.sum(1).max())
    order = torch.argsort((~kept).to(torch.int8), dim=1, stable=True)[:, :width]
    return ids.masked_fill(~kept, PAD_ID).gather(1, order)
