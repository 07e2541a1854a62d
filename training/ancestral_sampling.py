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

    Products are in the weights' own precision where autocast is on, too: it remembers the weights
    that it casts, and those cast here would have no gradients afterwards.

    src (batch, src_len); limits (batch,), the most tokens of a translation, at which eos is forced;
    temperature divides the logits; suppressed_ids get no probability. Draws come from torch's
    generator of the device.

    Returns ids (batch * samples, tgt_len), those of one source together, each ending with eos and
    padded with pad_id.
    """
    owner = torch.arange(len(src), device=src.device).repeat_interleave(samples)
    full_precision = torch.autocast(src.device.type, enabled=False)
    with torch.no_grad(), evaluating(model), full_precision:
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
    """One translation of every encoded row; rows that have ended are dropped and cost no more."""
    ids = limits.new_full((len(limits), int(limits.max())), PAD_ID)
    live, last = torch.arange(len(limits), device=limits.device), torch.full_like(limits, BOS_ID)
    for position in range(ids.shape[1]):
        step = model.step(last, encoded.state, encoded.memory, encoded.src_mask)
        logits = step.logits.float().index_fill(1, suppressed, -torch.inf) / temperature
        last = draw_one(logits.softmax(-1)).masked_fill(limits[live] <= position + 1, EOS_ID)
        ids[live, position] = last
        going = (last != EOS_ID).nonzero().squeeze(1)
        if not len(going):
            return ids[:, : position + 1]
        encoded = Encoded(encoded.memory, encoded.src_mask, step.state)
        if len(going) < len(live):
            encoded, live, last = repeated(encoded, going), live[going], last[going]
    raise AssertionError("every row ends at its limit")


def draw_one(probabilities: Tensor) -> Tensor:
    """One id a row, drawn from probabilities (rows, vocab), by inverting their running sum.

    A twentieth of the time of `torch.multinomial` on a CPU, which draws a number for each id.
    """
    sums = probabilities.cumsum(-1)
    total = sums[:, -1:]
    at = torch.rand_like(total) * total
    below = torch.minimum(at, total.nextafter(torch.zeros_like(total)))  # it may have rounded up
    return torch.searchsorted(sums, below, right=True).squeeze(1)  # never an id of probability 0
