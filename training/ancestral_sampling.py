"""Translations drawn from a model, word after word, for objectives that learn from its own."""

import torch
from torch import Tensor

from mt.tokenizer import BOS_ID, EOS_ID, PAD_ID
from training.models.seq2seq import Encoded, Seq2Seq, Tensors
from training.stepper import evaluating


def sample_translations(
    model: Seq2Seq,
    src: Tensor,
    limits: Tensor,
    samples: int,
    temperature: float,
    suppressed_ids: Tensor,
) -> Tensor:
    """Draw `samples` translations of every source, without dropout and without gradients.

    src (batch, src_len); limits (batch,), the most tokens of a translation, at which eos is forced;
    temperature divides the logits; suppressed_ids get no probability. Draws come from torch's
    generator of the device.

    Returns ids (batch * samples, tgt_len), those of one source together, each ending with eos and
    padded with pad_id.
    """
    owner = torch.arange(len(src), device=src.device).repeat_interleave(samples)
    with torch.no_grad(), evaluating(model):
        encoded = repeated(model.encode(src), owner)
        return _draw(model, encoded, limits[owner], temperature, suppressed_ids)


def repeated(encoded: Encoded, owner: Tensor) -> Encoded:
    """Row i is sentence owner[i] of what was encoded; gradients of its rows add up."""

    def rows(tensors: Tensors) -> Tensors:
        return {name: tensor.index_select(0, owner) for name, tensor in tensors.items()}

    src_mask = encoded.src_mask.index_select(0, owner)
    return Encoded(rows(encoded.memory), src_mask, rows(encoded.state))


def _draw(
    model: Seq2Seq, encoded: Encoded, limits: Tensor, temperature: float, suppressed: Tensor
) -> Tensor:
    """One translation of every encoded row."""
    state, last = encoded.state, torch.full_like(limits, BOS_ID)
    ended = torch.zeros_like(limits, dtype=torch.bool)
    words: list[Tensor] = []
    while not ended.all():
        step = model.step(last, state, encoded.memory, encoded.src_mask)
        logits = step.logits.float().index_fill(1, suppressed, -torch.inf) / temperature
        last = torch.multinomial(logits.softmax(-1), 1).squeeze(1)
        last = last.masked_fill(limits <= len(words) + 1, EOS_ID).masked_fill(ended, PAD_ID)
        words.append(last)
        state, ended = step.state, ended | (last == EOS_ID)
    return torch.stack(words, 1)
