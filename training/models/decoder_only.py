"""Decoder only: source and target are one sequence, read by one stack, as GPT reads a prompt.

Radford et al. 2018, "Improving Language Understanding by Generative Pre-Training"; the mask over
the source is that of Raffel et al. 2020, section 3.2.1 ("prefix LM"), or GPT's own. The source is
read once: its keys and values are the memory that the target's positions attend to, beside those
before them.
"""

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from mt.tokenizer import PAD_ID
from training.models.attention import KeysValues, attention_weights
from training.models.dropout import Dropout, WordDropout
from training.models.family import Family
from training.models.positions import input_positions
from training.models.seq2seq import Encoded, Seq2Seq, Step, Tensors
from training.models.transformer import grown
from training.models.transformer_config import StackConfig
from training.models.transformer_layers import EncoderLayer, final_norm, initialise_projections


class DecoderOnlyConfig(StackConfig):
    """Sizes and choices of a decoder-only model."""

    family: Literal["decoder-only"] = "decoder-only"
    layers: int = Field(ge=1)
    source_mask: Literal["prefix", "causal"] = Field(
        "prefix", description="whether source words see those after them"
    )
    positions: Literal["sinusoidal", "learned", "rotary", "none"] = Field(
        "sinusoidal", description="those of the target go on where the source ends"
    )
    tie_embeddings: Literal["none", "two-way"] = Field("two-way", description="input = output")


class Layer(EncoderLayer):
    """An encoder's layer that may also attend to what was read before."""

    def read(
        self,
        x: Tensor,
        positions: Tensor,
        mask: Tensor,
        before: KeysValues | None = None,
        cache: KeysValues | None = None,
    ) -> tuple[Tensor, Tensor, KeysValues]:
        """Read x (batch, length, d_model) once more; also its queries, and its keys and values.

        before: keys and values (batch, n_heads, src_len, d_head) that stand in front of its own;
        mask broadcasts to (batch, 1, length, src_len + length); cache as in `SelfAttention`.
        """
        around, attention = self.self_attention_residual, self.self_attention
        query, keys, values = attention.project(around.enter(x), positions)
        if cache is not None:
            cache[0][:, :, -1:], cache[1][:, :, -1:] = keys, values
            keys, values = cache
        seen = (keys, values)
        if before is not None:
            seen = torch.cat((before[0], keys), 2), torch.cat((before[1], values), 2)
        x = around.leave(x, attention.attend(query, *seen, mask))
        around = self.feed_forward_residual
        return around.leave(x, self.feed_forward(around.enter(x))), query, (keys, values)


class DecoderOnly(Seq2Seq):
    """Embeddings, one stack and the output layer."""

    caches = frozenset({"keys", "values"})

    def __init__(self, config: DecoderOnlyConfig, vocab_size: int) -> None:
        super().__init__()
        self.config, self.vocab_size = config, vocab_size
        self.embedding = nn.Embedding(vocab_size, config.d_model)
        self.places = input_positions(config)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = final_norm(config)
        self.output = nn.Linear(config.d_model, vocab_size, bias=False)
        self.dropout, self.word_dropout = Dropout(config.dropout), WordDropout(config.word_dropout)
        if config.tie_embeddings == "two-way":
            self.output.weight = self.embedding.weight
        self._initialise()

    def encode(self, src: Tensor) -> Encoded:
        """Read source ids (batch, src_len); memory holds every layer's keys and values.

        Each (batch, layers, n_heads, src_len, d_head), as the state's caches are of the target.
        """
        src_mask, length = src != PAD_ID, src.shape[1]
        positions = torch.arange(length, device=src.device)
        mask = src_mask[:, None, None]
        if self.config.source_mask == "causal":
            mask = mask & causal(length, src.device)
        x, pairs = self.embed(src, positions), []
        for layer in self._layers():
            x, _, pair = layer.read(x, positions, mask)
            pairs.append(pair)
        keys, values = (torch.stack(tensors, 1) for tensors in zip(*pairs, strict=True))
        start = torch.zeros(len(src), dtype=torch.int64, device=src.device)
        state = {"keys": keys[..., :0, :], "values": values[..., :0, :], "positions": start}
        return Encoded({"keys": keys, "values": values}, src_mask, state)

    def decode(self, encoded: Encoded, tgt_in: Tensor) -> Tensor:
        """Hidden states (batch, tgt_len, d_model); later positions are masked."""
        src_mask, length = encoded.src_mask, tgt_in.shape[1]
        own = causal(length, tgt_in.device).expand(len(tgt_in), 1, -1, -1)
        mask = torch.cat((src_mask[:, None, None].expand(-1, -1, length, -1), own), -1)
        positions = src_mask.sum(1, keepdim=True) + torch.arange(length, device=tgt_in.device)
        x = self.embed(tgt_in, positions)
        for i, layer in enumerate(self._layers()):
            x, _, _ = layer.read(x, positions, mask, _of_layer(encoded.memory, i))
        hidden: Tensor = self.norm(x)
        return hidden

    def step(self, last_ids: Tensor, state: Tensors, memory: Tensors, src_mask: Tensor) -> Step:
        """Decode one token; attention is the last layer's over the source alone, mean of heads."""
        caches, written = grown(state, self.caches)
        source = src_mask[:, None, None]
        mask = torch.cat((source, written), -1)
        positions = (src_mask.sum(1) + state["positions"])[:, None]
        x, weights = self.embed(last_ids[:, None], positions), None
        for i, layer in enumerate(self._layers()):
            before = _of_layer(memory, i)
            x, query, _ = layer.read(x, positions, mask, before, _of_layer(caches, i))
            if i == len(self.layers) - 1:
                weights = attention_weights(query, before[0], source).mean(1).squeeze(1)
        logits = self.project(self.norm(x[:, 0]))
        return Step(logits, {**caches, "positions": state["positions"] + 1}, weights)

    def embed(self, ids: Tensor, positions: Tensor) -> Tensor:
        """Embeddings times sqrt(d_model), at positions: (batch, length, d_model)."""
        scaled = self.word_dropout(self.embedding(ids)) * math.sqrt(self.config.d_model)
        placed, _ = self.places(scaled, positions, None)
        x: Tensor = self.dropout(placed)
        return x

    def _layers(self) -> list[Layer]:
        return [layer for layer in self.layers if isinstance(layer, Layer)]

    def _initialise(self) -> None:
        initialise_projections(self, apart_from=self.output)
        for table in (self.embedding, self.output):
            nn.init.normal_(table.weight, std=self.config.d_model**-0.5)


def causal(length: int, device: torch.device) -> Tensor:
    """(length, length), True where a query may see a key: at itself and before."""
    return torch.ones(length, length, dtype=torch.bool, device=device).tril()


def _of_layer(tensors: Tensors, i: int) -> KeysValues:
    return tensors["keys"][:, i], tensors["values"][:, i]


FAMILY = Family(DecoderOnlyConfig, DecoderOnly, "decoder-only Transformer, Radford et al. 2018")
