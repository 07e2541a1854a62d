"""Attention: section 3.2 of Vaswani et al. 2017, with the positions that later papers put into it.

Masks are boolean, True where a query may attend.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.models.positions import RelativePositions, rotate
from training.models.transformer_config import StackConfig
from training.wide_products import wide_products_are_on

KeysValues = tuple[Tensor, Tensor]


# 3.2.1 Scaled dot-product attention


def attend(
    query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, dropout: float
) -> Tensor:
    """softmax(Q K^T / sqrt(d_head)) V, section 3.2.1.

    query (batch, n_heads, tgt_len, d_head); keys and values (batch, n_heads, src_len, d_head);
    mask (..., tgt_len or 1, src_len) broadcasts to the scores; without one no query sees a later
    key. A query without any key gets 0.

    Elsewhere than `products_pay` the backend is left to PyTorch: on a CPU with AVX2 its fused
    kernel takes 5-7 ms where `MATH` takes 8-13 (128 sentences of 16, 4 heads of 32, forward and
    backward, 2 threads), and the mask costs neither of them anything. On a GPU a padding mask leads
    to its memory-efficient kernel; flash attention takes the causal rule, but no tensor.
    """
    if products_pay(query):
        return attend_by_products(query, keys, values, mask, dropout)
    return F.scaled_dot_product_attention(
        query, keys, values, attn_mask=mask, dropout_p=dropout, is_causal=mask is None
    )


def products_pay(query: Tensor) -> bool:
    """Whether two products and a softmax beat PyTorch's fused kernel: on a CPU where oneDNN makes
    the products, which the kernel calls on tiles too small for it.

    With AVX-512 an update of a Transformer of width 128 takes half the time in bfloat16.
    """
    return query.device.type == "cpu" and (query.dtype == torch.bfloat16 or wide_products_are_on())


def attend_by_products(
    query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, dropout: float
) -> Tensor:
    """The plain twin of the fused kernels, shapes as in `attend`; all is of the query's type."""
    with torch.autocast(query.device.type, enabled=False):
        scores = (query / math.sqrt(query.shape[-1])) @ keys.transpose(-1, -2)
        weights = softmax_of_seen(scores, seen_by_default(scores) if mask is None else mask)
        return (F.dropout(weights, dropout) if dropout else weights) @ values


def seen_by_default(scores: Tensor) -> Tensor:
    """No query sees a later key: (tgt_len, src_len) of scores (..., tgt_len, src_len)."""
    return torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()


def softmax_of_seen(scores: Tensor, mask: Tensor) -> Tensor:
    """Weights (..., src_len) of raw scores; 0 where the mask is False."""
    weights = scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(-1)
    return weights.masked_fill(~mask, 0.0)


def attention_weights(query: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
    """softmax(Q K^T / sqrt(d_head)), which `attend` never shows; shapes as there."""
    return softmax_of_seen(query @ keys.transpose(-1, -2) / math.sqrt(query.shape[-1]), mask)


def attend_by_distance(
    query: Tensor,
    keys: Tensor,
    values: Tensor,
    mask: Tensor | None,
    dropout: float,
    relative: RelativePositions,
) -> Tensor:
    """`attend` with relative positions: Shaw et al. 2018, equations 3 and 4."""
    rows = relative.rows(query.shape[2], keys.shape[2])
    scores = query @ keys.transpose(-1, -2) + relative.of_keys(query, rows)
    mask = seen_by_default(scores) if mask is None else mask
    weights = softmax_of_seen(scores / math.sqrt(query.shape[-1]), mask)
    weights = F.dropout(weights, dropout) if dropout else weights
    return weights @ values + relative.of_values(weights, rows)


# 3.2.2 Multi-head attention: queries, keys and values of all heads are projected together


def split_heads(packed: Tensor, n_heads: int, parts: int) -> tuple[Tensor, ...]:
    """(batch, length, parts * d_model) -> `parts` tensors (batch, n_heads, length, d_head)."""
    batch, length, _ = packed.shape
    heads = packed.view(batch, length, parts, n_heads, -1)
    return torch.unbind(heads.permute(2, 0, 3, 1, 4))


def merge_heads(heads: Tensor) -> Tensor:
    """(batch, n_heads, length, d_head) -> (batch, length, d_model)."""
    return heads.transpose(1, 2).flatten(2)


class PackedLinear(nn.Linear):
    """Several projections of the same vectors side by side, as one product."""

    def __init__(self, d_in: int, d_out: int, parts: int) -> None:
        """`parts` of them, each from d_in to d_out."""
        super().__init__(d_in, parts * d_out)
        self.parts = parts


class SelfAttention(nn.Module):
    """Multi-head attention of a sequence over itself, sections 3.2.2 and 3.2.3."""

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        self.n_heads, self.attention_dropout = config.n_heads, config.attention_dropout
        self.qkv = PackedLinear(config.d_model, config.d_model, parts=3)
        self.output = nn.Linear(config.d_model, config.d_model)
        self.is_rotary = config.positions == "rotary"
        self.relative: RelativePositions | None = None
        if config.positions == "relative":
            self.relative = RelativePositions(config.max_distance, config.d_head)

    def forward(
        self, x: Tensor, positions: Tensor, mask: Tensor | None, cache: KeysValues | None = None
    ) -> Tensor:
        """Attend from each position of x (batch, length, d_model) to those of its mask.

        Without a mask it attends to itself and to those before it.

        positions (length,) or (batch, length) of x, for those schemes that turn by them;
        cache: keys and values (batch, n_heads, past + 1, d_head) whose last entry is free; it is
        filled with those of x, of length 1, and then attended to as a whole.
        """
        query, keys, values = self.project(x, positions)
        if cache is not None:
            cache[0][:, :, -1:], cache[1][:, :, -1:] = keys, values
            keys, values = cache
        return self.attend(query, keys, values, mask)

    def project(self, x: Tensor, positions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values (batch, n_heads, length, d_head) of x."""
        query, keys, values = split_heads(self.qkv(x), self.n_heads, parts=3)
        if self.is_rotary:
            query, keys = rotate(query, positions), rotate(keys, positions)
        return query, keys, values

    def attend(self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        """What a layer reads (batch, tgt_len, d_model); shapes as in the function `attend`."""
        dropout = self.attention_dropout if self.training else 0.0
        if self.relative is None:
            context = attend(query, keys, values, mask, dropout)
        else:
            context = attend_by_distance(query, keys, values, mask, dropout, self.relative)
        output: Tensor = self.output(merge_heads(context))
        return output


class CrossAttention(nn.Module):
    """Multi-head attention of the decoder over the encoder, sections 3.2.2 and 3.2.3."""

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        self.n_heads, self.attention_dropout = config.n_heads, config.attention_dropout
        self.query = nn.Linear(config.d_model, config.d_model)
        self.key_value = PackedLinear(config.d_model, config.d_model, parts=2)
        self.output = nn.Linear(config.d_model, config.d_model)

    def keys_values(self, memory: Tensor) -> tuple[Tensor, ...]:
        """Encoder states (batch, src_len, d_model) -> two of (batch, n_heads, src_len, d_head)."""
        return split_heads(self.key_value(memory), self.n_heads, parts=2)

    def forward(
        self, x: Tensor, keys: Tensor, values: Tensor, mask: Tensor, with_weights: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Attend from x (batch, tgt_len, d_model) to the source; the same shape comes back.

        Weights (batch, tgt_len, src_len) are the mean over heads, None where not asked for.
        """
        (query,) = split_heads(self.query(x), self.n_heads, parts=1)
        dropout = self.attention_dropout if self.training else 0.0
        context = self.output(merge_heads(attend(query, keys, values, mask, dropout)))
        weights = attention_weights(query, keys, mask).mean(1) if with_weights else None
        return context, weights
