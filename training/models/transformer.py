"""The Transformer, whole: Vaswani et al. 2017, "Attention Is All You Need", in the paper's order.

Sizes: d_model is the width of every position, n_heads * d_head = d_model. Masks are boolean, True
where a query may attend. Sections 3.1 and 3.3 are in `transformer_layers`, 3.2 in `attention`, 3.5
and the other schemes of positions in `positions`.
"""

import math
from collections.abc import Iterable
from itertools import chain
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mt.tokenizer import PAD_ID
from training.models.dropout import Dropout, WordDropout
from training.models.family import Family
from training.models.positions import InputPositions, input_positions
from training.models.seq2seq import Encoded, Seq2Seq, Step, Tensors
from training.models.transformer_config import EncoderConfig, TransformerConfig
from training.models.transformer_layers import (
    DecoderLayer,
    EncoderLayer,
    final_norm,
    initialise_projections,
)
from training.models.tying import tie_embeddings


class Encoder(nn.Module):
    """A stack of encoder layers."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.encoder_layers))
        self.norm = final_norm(config)

    def forward(self, x: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        """Encode x (batch, src_len, d_model) at its positions; mask (batch, 1, 1, src_len)."""
        for layer in self.layers:
            x = layer(x, positions, mask)
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

    def forward(self, x: Tensor, positions: Tensor, memory: Tensors, src_mask: Tensor) -> Tensor:
        """Decode all positions at once: x (batch, tgt_len, d_model), the same shape comes back."""
        keys, values = memory["keys"].unbind(1), memory["values"].unbind(1)
        for layer, *pair in zip(self.layers, keys, values, strict=True):
            x, _ = layer(x, positions, None, None, pair, src_mask)
        states: Tensor = self.norm(x)
        return states

    def step(
        self,
        x: Tensor,
        positions: Tensor,
        self_mask: Tensor,
        caches: Tensors,
        memory: Tensors,
        src_mask: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Decode one position x (rows, 1, d_model); the last layer's weights (rows, src_len).

        The last entry of every cache (rows, layers, heads, past + 1, d_head) is filled in.
        """
        weights = x.new_zeros(())
        last = len(self.layers) - 1
        for i, layer in enumerate(self.layers):
            cache = caches["keys"][:, i], caches["values"][:, i]
            pair = memory["keys"][:, i], memory["values"][:, i]
            x, weights = layer(
                x, positions, self_mask, cache, pair, src_mask, with_weights=i == last
            )
        return self.norm(x), weights.squeeze(1)


def grown(state: Tensors, caches: Iterable[str]) -> tuple[Tensors, Tensor]:
    """Caches with a free entry at the end, and where a row may attend (rows, 1, 1, past + 1).

    A row younger than its neighbours has padding on the left of what it has written.
    """
    longer = {name: F.pad(state[name], (0, 0, 0, 1)) for name in caches}
    positions, past = state["positions"], state["keys"].shape[-2]
    newest_first = torch.arange(past, -1, -1, device=positions.device)
    return longer, (newest_first <= positions[:, None])[:, None, None]


class Transformer(Seq2Seq):
    """Encoder, decoder, embeddings and output layer."""

    caches = frozenset({"keys", "values"})

    def __init__(self, config: TransformerConfig, vocab_size: int) -> None:
        super().__init__()
        self.config, self.vocab_size = config, vocab_size
        self.src_embedding = nn.Embedding(vocab_size, config.d_model)
        self.tgt_embedding = nn.Embedding(vocab_size, config.d_model)
        self.src_positions, self.tgt_positions = input_positions(config), input_positions(config)
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.output = nn.Linear(config.d_model, vocab_size, bias=False)
        self.dropout, self.word_dropout = Dropout(config.dropout), WordDropout(config.word_dropout)
        tie_embeddings(self, config.tie_embeddings)
        self._initialise()

    def encode(self, src: Tensor) -> Encoded:
        """Encode source ids (batch, src_len); memory holds keys and values (see `Decoder`)."""
        src_mask, x = src != PAD_ID, self.source_states(src)
        memory = self.decoder.keys_values(x)
        batch, layers, heads, _, d_head = memory["keys"].shape
        nothing = x.new_zeros(batch, layers, heads, 0, d_head)
        start = torch.zeros(batch, dtype=torch.int64, device=src.device)
        state = {"keys": nothing, "values": nothing, "positions": start}
        if self.tgt_positions.has_state:
            state["read"] = x.new_zeros(batch, self.config.d_model)
        return Encoded(memory, src_mask, state)

    def source_states(self, src: Tensor) -> Tensor:
        """The encoder's last layer (batch, src_len, d_model)."""
        positions = torch.arange(src.shape[1], device=src.device)
        x, _ = self.embed(self.src_embedding, self.src_positions, src, positions)
        states: Tensor = self.encoder(x, positions, (src != PAD_ID)[:, None, None])
        return states

    def decode(self, encoded: Encoded, tgt_in: Tensor) -> Tensor:
        """Hidden states (batch, tgt_len, d_model); later positions are masked, section 3.1."""
        positions = torch.arange(tgt_in.shape[1], device=tgt_in.device)
        x, _ = self.embed(self.tgt_embedding, self.tgt_positions, tgt_in, positions)
        src_mask = encoded.src_mask[:, None, None]
        hidden: Tensor = self.decoder(x, positions, encoded.memory, src_mask)
        return hidden

    def step(self, last_ids: Tensor, state: Tensors, memory: Tensors, src_mask: Tensor) -> Step:
        """Decode one token; attention is the mean over heads of the last layer's."""
        written, positions = state["positions"], state["positions"][:, None]
        x, read = self.embed(
            self.tgt_embedding, self.tgt_positions, last_ids[:, None], positions, state.get("read")
        )
        caches, mask = grown(state, self.caches)
        x, weights = self.decoder.step(x, positions, mask, caches, memory, src_mask[:, None, None])
        state = {**caches, "positions": written + 1, **({} if read is None else {"read": read})}
        return Step(self.project(x[:, 0]), state, weights)

    def separable(self) -> list[nn.Module]:
        """All layers, but what attends over the source: its keys are made before its layer runs."""
        decoder = (cast(DecoderLayer, layer) for layer in self.decoder.layers)
        apart = ((layer.self_attention, layer.feed_forward) for layer in decoder)
        return [*self.encoder.layers, *chain.from_iterable(apart)]

    def embed(
        self,
        embedding: nn.Embedding,
        places: InputPositions,
        ids: Tensor,
        positions: Tensor,
        state: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Embeddings times sqrt(d_model) (3.4) plus positions (3.5): (batch, length, d_model).

        state, and the second answer: what a recurrent scheme has read, as `InputPositions` says.
        """
        scaled = self.word_dropout(embedding(ids)) * math.sqrt(self.config.d_model)
        x, state = places(scaled, positions, state)
        return self.dropout(x), state

    def _initialise(self) -> None:
        """Xavier for every projection, packed ones each apart; embeddings of unit length."""
        initialise_projections(self, apart_from=self.output)
        for table in (self.src_embedding, self.tgt_embedding, self.output):
            nn.init.normal_(table.weight, std=self.config.d_model**-0.5)


FAMILY = Family(TransformerConfig, Transformer, "Transformer, Vaswani et al. 2017")
