"""A Transformer encodes, recurrent cells decode: Chen et al. 2018, section 5.

"The Best of Both Worlds: Combining Recent Advances in Neural Machine Translation" find the
Transformer the better encoder, as every word sees every other, and a recurrent network the better
decoder. The encoder is that of `training.models.transformer`, the decoder that of
`training.models.recurrent_decoder`; a step of it costs the same however much is written.
"""

from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from mt.tokenizer import PAD_ID
from training.models.dropout import Dropout, WordDropout
from training.models.family import Family
from training.models.positions import input_positions
from training.models.recurrent_decoder import Decoder, DecoderConfig, scaled_embedding
from training.models.seq2seq import Encoded, Seq2Seq, Step, Tensors
from training.models.transformer import Encoder
from training.models.transformer_config import EncoderConfig
from training.models.transformer_layers import initialise_projections
from training.models.tying import Tying, tie_embeddings


class HybridConfig(DecoderConfig, EncoderConfig):
    """Sizes and choices of both sides: `norm` is the encoder's, `layer_norm` that of the cells."""

    family: Literal["hybrid"] = "hybrid"
    dropout: float = Field(0.1, ge=0, lt=1, description="on embeddings and encoder sub-layers")
    tie_embeddings: Tying = Field(
        "three-way", description="two-way: decoder input = output; three-way: encoder input as well"
    )

    @model_validator(mode="after")
    def _widths_fit(self) -> Self:
        if self.tie_embeddings == "three-way" and self.embedding_size != self.d_model:
            raise ValueError(
                f"tie_embeddings three-way needs embedding_size to be d_model, {self.d_model}, not "
                f"{self.embedding_size}; two-way does not"
            )
        if self.attention == "dot" and self.decoder_size != self.d_model:
            raise ValueError(
                f"attention dot needs decoder_size to be d_model, {self.d_model}, not "
                f"{self.decoder_size}; general learns a projection"
            )
        return self


class Hybrid(Seq2Seq):
    """Attending encoder, bridge, recurrent decoder, embeddings and output layer."""

    compiled = ()  # a graph of a loop over words would be another for each length

    def __init__(self, config: HybridConfig, vocab_size: int) -> None:
        super().__init__()
        self.config, self.vocab_size = config, vocab_size
        self.src_embedding = nn.Embedding(vocab_size, config.d_model)
        self.tgt_embedding = nn.Embedding(vocab_size, config.embedding_size)
        self.src_positions = input_positions(config)
        self.encoder = Encoder(config)
        self.decoder = Decoder(config, config.d_model)
        self.bridge = nn.Linear(
            config.d_model, sum(cell.state_size for cell in self.decoder.layers)
        )
        self.output = nn.Linear(config.embedding_size, vocab_size, bias=False)
        self.dropout, self.word_dropout = Dropout(config.dropout), WordDropout(config.word_dropout)
        self.encoder_dropout = Dropout(config.dropout_output)
        tie_embeddings(self, config.tie_embeddings)
        self._initialise()

    def encode(self, src: Tensor) -> Encoded:
        """Encode source ids (batch, src_len); the decoder starts from the mean of what they are.

        A Transformer has no last state: the mean, bridged, is the cells' first, and is the fixed
        context where there is no attention.
        """
        mask, states = src != PAD_ID, self._encode(src)
        tokens = mask.unsqueeze(-1).to(states.dtype)
        mean = (states * tokens).sum(1) / tokens.sum(1).clamp(min=1)
        firsts = torch.tanh(self.bridge(mean)).chunk(self.config.decoder_layers, -1)
        drop = self.encoder_dropout
        return self.decoder.start(drop(states), drop(mean), list(firsts), mask)

    def source_states(self, src: Tensor) -> Tensor:
        """The encoder's last layer (batch, src_len, d_model), where the output is as wide."""
        if self.config.d_model != self.config.embedding_size:
            return super().source_states(src)
        return self._encode(src)

    def decode(self, encoded: Encoded, tgt_in: Tensor) -> Tensor:
        """Hidden states (batch, tgt_len, embedding_size)."""
        hidden: Tensor = self.decoder(self._embed(tgt_in), encoded)
        return hidden

    def step(self, last_ids: Tensor, state: Tensors, memory: Tensors, src_mask: Tensor) -> Step:
        """Decode one token; attention is None where the context is fixed."""
        word = self.decoder.read(self._embed(last_ids))
        state, hidden, weights = self.decoder.advance(word, state, memory, src_mask)
        return Step(self.project(hidden), state, weights)

    def _encode(self, src: Tensor) -> Tensor:
        positions = torch.arange(src.shape[1], device=src.device)
        embedded = scaled_embedding(self.word_dropout(self.src_embedding(src)))
        x, _ = self.src_positions(embedded, positions, None)
        states: Tensor = self.encoder(self.dropout(x), positions, (src != PAD_ID)[:, None, None])
        return states

    def _embed(self, ids: Tensor) -> Tensor:
        kept: Tensor = self.dropout(scaled_embedding(self.word_dropout(self.tgt_embedding(ids))))
        return kept

    def _initialise(self) -> None:
        """Each side in its own way; embeddings of unit length."""
        initialise_projections(self.encoder, apart_from=self.output)
        self.decoder.initialise()
        nn.init.xavier_uniform_(self.bridge.weight)
        nn.init.zeros_(self.bridge.bias)
        for table in (self.src_embedding, self.tgt_embedding, self.output):
            nn.init.normal_(table.weight, std=table.weight.shape[1] ** -0.5)


FAMILY = Family(
    HybridConfig, Hybrid, "Transformer encoder with recurrent decoder, Chen et al. 2018"
)
