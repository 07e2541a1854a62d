"""The Transformer, whole: Vaswani et al. 2017, "Attention Is All You Need", in the paper's order.

Sizes: d_model is the width of every position, n_heads * d_head = d_model. Masks are boolean, True
where a query may attend.
"""

import math
from typing import Literal, Self, cast

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from mt.tokenizer import PAD_ID
from training.models.dropout import Dropout, WordDropout
from training.models.family import Family, ModelConfig
from training.models.seq2seq import Encoded, Seq2Seq, Step, Tensors


class TransformerConfig(ModelConfig):
    """Sizes and choices of a Transformer; the paper's are post-norm, ReLU, three-way tying."""

    family: Literal["transformer"] = "transformer"
    encoder_layers: int = Field(ge=1)
    decoder_layers: int = Field(ge=1)
    d_model: int = Field(ge=2)
    n_heads: int = Field(ge=1)
    d_ff: int = Field(ge=1, description="inner width of the feed-forward layers")
    dropout: float = Field(0.1, ge=0, lt=1, description="on embeddings and every sub-layer")
    attention_dropout: float = Field(0.0, ge=0, lt=1, description="on attention weights")
    word_dropout: float = Field(0.0, ge=0, lt=1, description="on whole words of both sides")
    activation: Literal["relu", "gelu"] = "relu"
    norm: Literal["pre", "post"] = Field("post", description="layer norm before or after")
    tie_embeddings: Literal["none", "two-way", "three-way"] = Field(
        "three-way", description="two-way: decoder input = output; three-way: encoder input as well"
    )

    @model_validator(mode="after")
    def _heads_fit(self) -> Self:
        if self.d_model % self.n_heads:
            raise ValueError("d_model must be a multiple of n_heads")
        if self.d_model % 2:
            raise ValueError("d_model must be even: positions are pairs of sine and cosine")
        return self


# 3.2.1 Scaled dot-product attention


def attend(
    query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, dropout: float
) -> Tensor:
    """softmax(Q K^T / sqrt(d_head)) V, section 3.2.1.

    query (batch, n_heads, tgt_len, d_head); keys and values (batch, n_heads, src_len, d_head);
    mask (..., tgt_len or 1, src_len) broadcasts to the scores; without one no query sees a later
    key. A query without any key gets 0.

    The backend is left to PyTorch: on a CPU with AVX2 its fused kernel takes 5-7 ms where `MATH`
    takes 8-13 (128 sentences of 16, 4 heads of 32, forward and backward, 2 threads), and the mask
    costs neither of them anything. On a GPU a padding mask leads to its memory-efficient kernel;
    flash attention takes the causal rule, but no tensor.
    """
    return F.scaled_dot_product_attention(
        query, keys, values, attn_mask=mask, dropout_p=dropout, is_causal=mask is None
    )


def attention_weights(query: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
    """softmax(Q K^T / sqrt(d_head)), which `attend` never shows; shapes as there."""
    scores = query @ keys.transpose(-1, -2) / math.sqrt(query.shape[-1])
    weights = scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(-1)
    return weights.masked_fill(~mask, 0.0)


# 3.2.2 Multi-head attention: queries, keys and values of all heads are projected together


def split_heads(packed: Tensor, n_heads: int, parts: int) -> tuple[Tensor, ...]:
    """(batch, length, parts * d_model) -> `parts` tensors (batch, n_heads, length, d_head)."""
    batch, length, _ = packed.shape
    heads = packed.view(batch, length, parts, n_heads, -1)
    return torch.unbind(heads.permute(2, 0, 3, 1, 4))


def merge_heads(heads: Tensor) -> Tensor:
    """(batch, n_heads, length, d_head) -> (batch, length, d_model)."""
    return heads.transpose(1, 2).flatten(2)


class SelfAttention(nn.Module):
    """Multi-head attention of a sequence over itself, sections 3.2.2 and 3.2.3."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.n_heads, self.attention_dropout = config.n_heads, config.attention_dropout
        self.qkv = nn.Linear(config.d_model, 3 * config.d_model)
        self.output = nn.Linear(config.d_model, config.d_model)

    def forward(
        self, x: Tensor, mask: Tensor | None, cache: tuple[Tensor, Tensor] | None
    ) -> Tensor:
        """Attend from each position of x (batch, length, d_model) to those of its mask.

        Without a mask it attends to itself and to those before it.

        cache: keys and values (batch, n_heads, past + 1, d_head) whose last entry is free; it is
        filled with those of x, of length 1, and then attended to as a whole.
        """
        query, keys, values = split_heads(self.qkv(x), self.n_heads, parts=3)
        if cache is not None:
            cache[0][:, :, -1:], cache[1][:, :, -1:] = keys, values
            keys, values = cache
        dropout = self.attention_dropout if self.training else 0.0
        output: Tensor = self.output(merge_heads(attend(query, keys, values, mask, dropout)))
        return output


class CrossAttention(nn.Module):
    """Multi-head attention of the decoder over the encoder, sections 3.2.2 and 3.2.3."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.n_heads, self.attention_dropout = config.n_heads, config.attention_dropout
        self.query = nn.Linear(config.d_model, config.d_model)
        self.key_value = nn.Linear(config.d_model, 2 * config.d_model)
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


# 3.3 Position-wise feed-forward networks


class FeedForward(nn.Module):
    """max(0, x W1 + b1) W2 + b2, section 3.3; or GELU in place of the maximum."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.inner = nn.Linear(config.d_model, config.d_ff)
        self.outer = nn.Linear(config.d_ff, config.d_model)
        self.activation = nn.ReLU() if config.activation == "relu" else nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        """Transform each position of x (..., d_model) alike; the same shape comes back."""
        y: Tensor = self.outer(self.activation(self.inner(x)))
        return y


# 3.4 Embeddings and softmax: see Transformer.embed and Transformer.project
# 3.5 Positional encoding


def positional_encoding(positions: Tensor, d_model: int) -> Tensor:
    """Sinusoids of section 3.5, positions (...) -> (..., d_model), float32.

    PE(pos, 2i) = sin(pos / 10000^(2i / d_model)), PE(pos, 2i + 1) = cos of the same. Computed for
    the positions at hand, so that no table bounds the length of a sentence.
    """
    pair = torch.arange(0, d_model, 2, device=positions.device, dtype=torch.float32)
    angles = positions.unsqueeze(-1) * torch.exp(pair * (-math.log(10000.0) / d_model))
    return torch.stack((angles.sin(), angles.cos()), -1).flatten(-2)


# 3.1 Encoder and decoder stacks


class Residual(nn.Module):
    """What stands around every sub-layer, section 3.1: dropout, addition, layer norm.

    post (the paper): norm(x + dropout(sublayer(x))); pre: x + dropout(sublayer(norm(x))).
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.d_model)
        self.dropout = Dropout(config.dropout)
        self.pre = config.norm == "pre"

    def enter(self, x: Tensor) -> Tensor:
        """What the sub-layer reads."""
        y: Tensor = self.norm(x) if self.pre else x
        return y

    def leave(self, x: Tensor, y: Tensor) -> Tensor:
        """Add the sub-layer's answer y to x."""
        total: Tensor = x + self.dropout(y)
        return total if self.pre else self.norm(total)


def final_norm(config: TransformerConfig) -> nn.Module:
    """Pre-norm leaves the last sum of a stack unnormalised; post-norm does not."""
    return nn.LayerNorm(config.d_model) if config.norm == "pre" else nn.Identity()


class EncoderLayer(nn.Module):
    """Self-attention, then feed-forward."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.self_attention = SelfAttention(config)
        self.self_attention_residual = Residual(config)
        self.feed_forward = FeedForward(config)
        self.feed_forward_residual = Residual(config)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Encode x (batch, src_len, d_model) once more; mask (batch, 1, 1, src_len)."""
        around = self.self_attention_residual
        x = around.leave(x, self.self_attention(around.enter(x), mask, cache=None))
        around = self.feed_forward_residual
        return around.leave(x, self.feed_forward(around.enter(x)))


class DecoderLayer(nn.Module):
    """Self-attention over what is written, attention over the source, then feed-forward."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.self_attention = SelfAttention(config)
        self.self_attention_residual = Residual(config)
        self.cross_attention = CrossAttention(config)
        self.cross_attention_residual = Residual(config)
        self.feed_forward = FeedForward(config)
        self.feed_forward_residual = Residual(config)

    def forward(
        self,
        x: Tensor,
        self_mask: Tensor | None,
        cache: tuple[Tensor, Tensor] | None,
        memory: tuple[Tensor, Tensor],
        src_mask: Tensor,
        with_weights: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Decode x (batch, tgt_len, d_model) once more; cross-attention weights if asked for.

        self_mask broadcasts to (batch, 1, tgt_len, past + tgt_len); it and cache as in
        `SelfAttention`;
        memory: this layer's cross-attention keys and values; src_mask (batch, 1, 1, src_len).
        """
        around = self.self_attention_residual
        x = around.leave(x, self.self_attention(around.enter(x), self_mask, cache))
        around = self.cross_attention_residual
        context, weights = self.cross_attention(around.enter(x), *memory, src_mask, with_weights)
        x = around.leave(x, context)
        around = self.feed_forward_residual
        return around.leave(x, self.feed_forward(around.enter(x))), weights


class Encoder(nn.Module):
    """A stack of encoder layers."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.encoder_layers))
        self.norm = final_norm(config)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Encode x (batch, src_len, d_model); mask (batch, 1, 1, src_len)."""
        for layer in self.layers:
            x = layer(x, mask)
        states: Tensor = self.norm(x)
        return states


class Decoder(nn.Module):
    """A stack of decoder layers."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.decoder_layers))
        self.norm = final_norm(config)

    def keys_values(self, memory: Tensor) -> Tensors:
        """Cross-attention keys and values of all layers.

        memory (batch, src_len, d_model) -> each (batch, layers, n_heads, src_len, d_head).
        """
        attentions = [cast(DecoderLayer, layer).cross_attention for layer in self.layers]
        pairs = [attention.keys_values(memory) for attention in attentions]
        keys, values = (torch.stack(tensors, 1) for tensors in zip(*pairs, strict=True))
        return {"keys": keys, "values": values}

    def forward(self, x: Tensor, memory: Tensors, src_mask: Tensor) -> Tensor:
        """Decode all positions at once: x (batch, tgt_len, d_model), the same shape comes back."""
        keys, values = memory["keys"].unbind(1), memory["values"].unbind(1)
        for layer, *pair in zip(self.layers, keys, values, strict=True):
            x, _ = layer(x, None, None, pair, src_mask)
        states: Tensor = self.norm(x)
        return states

    def step(
        self, x: Tensor, self_mask: Tensor, caches: Tensors, memory: Tensors, src_mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Decode one position x (rows, 1, d_model); the last layer's weights (rows, src_len).

        The last entry of every cache (rows, layers, heads, past + 1, d_head) is filled in.
        """
        weights = x.new_zeros(())
        last = len(self.layers) - 1
        for i, layer in enumerate(self.layers):
            cache = caches["keys"][:, i], caches["values"][:, i]
            pair = memory["keys"][:, i], memory["values"][:, i]
            x, weights = layer(x, self_mask, cache, pair, src_mask, with_weights=i == last)
        return self.norm(x), weights.squeeze(1)


class Transformer(Seq2Seq):
    """Encoder, decoder, embeddings and output layer."""

    caches = frozenset({"keys", "values"})

    def __init__(self, config: TransformerConfig, vocab_size: int) -> None:
        super().__init__()
        self.config, self.vocab_size = config, vocab_size
        self.src_embedding = nn.Embedding(vocab_size, config.d_model)
        self.tgt_embedding = nn.Embedding(vocab_size, config.d_model)
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.output = nn.Linear(config.d_model, vocab_size, bias=False)
        self.dropout, self.word_dropout = Dropout(config.dropout), WordDropout(config.word_dropout)
        self._tie_embeddings()
        self._initialise()

    def encode(self, src: Tensor) -> Encoded:
        """Encode source ids (batch, src_len); memory holds keys and values (see `Decoder`)."""
        src_mask = src != PAD_ID
        positions = torch.arange(src.shape[1], device=src.device)
        x = self.encoder(self.embed(self.src_embedding, src, positions), src_mask[:, None, None])
        memory = self.decoder.keys_values(x)
        batch, layers, heads, _, d_head = memory["keys"].shape
        nothing = x.new_zeros(batch, layers, heads, 0, d_head)
        start = torch.zeros(batch, dtype=torch.int64, device=src.device)
        return Encoded(memory, src_mask, {"keys": nothing, "values": nothing, "positions": start})

    def decode(self, encoded: Encoded, tgt_in: Tensor) -> Tensor:
        """Hidden states (batch, tgt_len, d_model); later positions are masked, section 3.1."""
        positions = torch.arange(tgt_in.shape[1], device=tgt_in.device)
        x = self.embed(self.tgt_embedding, tgt_in, positions)
        hidden: Tensor = self.decoder(x, encoded.memory, encoded.src_mask[:, None, None])
        return hidden

    def step(self, last_ids: Tensor, state: Tensors, memory: Tensors, src_mask: Tensor) -> Step:
        """Decode one token; attention is the mean over heads of the last layer's."""
        positions = state["positions"]
        x = self.embed(self.tgt_embedding, last_ids[:, None], positions[:, None])
        past = state["keys"].shape[-2]
        caches = {name: F.pad(state[name], (0, 0, 0, 1)) for name in self.caches}
        newest_first = torch.arange(past, -1, -1, device=x.device)
        written = (newest_first <= positions[:, None])[:, None, None]  # (rows, 1, 1, past + 1)
        x, weights = self.decoder.step(x, written, caches, memory, src_mask[:, None, None])
        state = {**caches, "positions": positions + 1}
        return Step(self.project(x[:, 0]), state, weights)

    def embed(self, embedding: nn.Embedding, ids: Tensor, positions: Tensor) -> Tensor:
        """Embeddings times sqrt(d_model) (3.4) plus positions (3.5): (batch, length, d_model)."""
        d_model = self.config.d_model
        scaled = self.word_dropout(embedding(ids)) * math.sqrt(d_model)
        x: Tensor = self.dropout(scaled + positional_encoding(positions, d_model).to(scaled.dtype))
        return x

    def project(self, hidden: Tensor) -> Tensor:
        """Logits before the softmax of section 3.4."""
        logits: Tensor = self.output(hidden)
        return logits

    def _tie_embeddings(self) -> None:
        if self.config.tie_embeddings == "three-way":
            self.tgt_embedding = self.src_embedding
        if self.config.tie_embeddings != "none":
            self.output.weight = self.tgt_embedding.weight

    def _initialise(self) -> None:
        """Xavier for every projection, packed ones each apart; embeddings of unit length."""
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear) and module is not self.output:
                parts = 3 if name.endswith("qkv") else 2 if name.endswith("key_value") else 1
                for part in module.weight.chunk(parts):
                    nn.init.xavier_uniform_(part)
                nn.init.zeros_(module.bias)
        for table in (self.src_embedding, self.tgt_embedding, self.output):
            nn.init.normal_(table.weight, std=self.config.d_model**-0.5)


FAMILY = Family(TransformerConfig, Transformer, "Transformer, Vaswani et al. 2017")
