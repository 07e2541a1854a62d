"""Stacked recurrent encoder and decoder: Sutskever et al. 2014, with attention Luong et al. 2015.

"Sequence to Sequence Learning with Neural Networks" and "Effective Approaches to Attention-based
Neural Machine Translation". Cells, depth, direction and attention are the recipe's choices; one
thing changed is one comparison. `training.models.gru` is the model of Bahdanau et al. 2015.
"""

from typing import Literal, Self, cast

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from mt.tokenizer import PAD_ID
from training.models.cell import Cell
from training.models.cells import CELLS, run
from training.models.dropout import Dropout, WordDropout
from training.models.family import Family
from training.models.gru import reverse_tokens
from training.models.recurrent_decoder import (
    Decoder,
    DecoderConfig,
    dropout_of,
    scaled_embedding,
    with_residual,
)
from training.models.seq2seq import Encoded, Seq2Seq, Step, Tensors
from training.models.tying import Tying, tie_embeddings


class RecurrentConfig(DecoderConfig):
    """Sizes and choices of a recurrent encoder-decoder; the same cell on both sides."""

    family: Literal["recurrent"] = "recurrent"
    encoder_size: int = Field(ge=1, description="of a cell's output, in each direction")
    encoder_layers: int = Field(1, ge=1, le=4, description="residual from the second on")
    bidirectional: bool = Field(True, description="whether the encoder reads both ways")
    tie_embeddings: Tying = Field(
        "three-way", description="two-way: decoder input = output; three-way: encoder input as well"
    )

    @property
    def encoder_width(self) -> int:
        """Of what the decoder sees of each source word: both directions side by side."""
        return (1 + self.bidirectional) * self.encoder_size

    @model_validator(mode="after")
    def _dot_fits(self) -> Self:
        if self.attention == "dot" and self.encoder_width != self.decoder_size:
            raise ValueError(
                f"attention dot needs encoder states as wide as decoder_size, {self.decoder_size}, "
                f"not {self.encoder_width}: change encoder_size, or take general, which learns a "
                "projection"
            )
        return self


class EncoderLayer(nn.Module):
    """One cell, or two that read in opposite directions."""

    def __init__(self, config: RecurrentConfig, input_size: int) -> None:
        super().__init__()
        directions, cell = 1 + config.bidirectional, CELLS[config.cell]
        cells = (
            cell(input_size, config.encoder_size, config.layer_norm) for _ in range(directions)
        )
        self.cells = nn.ModuleList(cells)
        self.state_dropout = Dropout(config.dropout_state)

    @property
    def directions(self) -> list[Cell]:
        """The cell that reads forth and, if there is one, the cell that reads back."""
        return [cast(Cell, cell) for cell in self.cells]

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs (batch, src_len, encoder_width) of x (batch, src_len, d), 0 at padding.

        Also the last states of both directions as that of one cell so wide: outputs side by side,
        then what else a state holds. The second reads reversed sentences, so padding comes after
        every token in both, and no state of a token has read any.
        """
        lengths, rows = mask.sum(1).clamp(min=1), torch.arange(len(mask), device=mask.device)
        outputs, lasts = [], []
        for cell, back in zip(self.directions, (False, True), strict=False):
            inputs = cell.project(reverse_tokens(x, mask) if back else x)
            first = inputs.new_zeros(len(x), cell.state_size)
            kept = self.state_dropout.draw(first[:, : cell.hidden_size])
            states = run(cell, inputs, first, kept)
            lasts.append(states[rows, lengths - 1].view(len(x), cell.parts, -1))
            output = cell.output(states)
            outputs.append(reverse_tokens(output, mask) if back else output)
        return torch.cat(outputs, -1) * mask.unsqueeze(-1), torch.cat(lasts, -1).flatten(1)


class Encoder(nn.Module):
    """Layers of cells, each but the lowest added to what it has read."""

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__()
        sizes = [config.embedding_size, *[config.encoder_width] * (config.encoder_layers - 1)]
        self.layers = nn.ModuleList(EncoderLayer(config, size) for size in sizes)
        self.hidden_dropout = dropout_of(config.dropout_hidden, config)

    def forward(self, embedded: Tensor, mask: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Outputs of the top layer (batch, src_len, encoder_width), every layer's last states."""
        below, reads, lasts = None, embedded, []
        for layer in self.layers:
            output, last = layer(reads, mask)
            below = with_residual(output, below)
            reads = self.hidden_dropout(below)
            lasts.append(last)
        return reads, lasts


class Recurrent(Seq2Seq):
    """Encoder, bridge, decoder, embeddings and output layer."""

    compiled = ()  # a graph of a loop over words would be another for each length

    def __init__(self, config: RecurrentConfig, vocab_size: int) -> None:
        super().__init__()
        self.config, self.vocab_size = config, vocab_size
        self.src_embedding = nn.Embedding(vocab_size, config.embedding_size)
        self.tgt_embedding = nn.Embedding(vocab_size, config.embedding_size)
        self.word_dropout = WordDropout(config.word_dropout)
        self.embedding_dropout = dropout_of(config.dropout, config)
        self.encoder = Encoder(config)
        self.encoder_dropout = dropout_of(config.dropout_output, config)
        self.decoder = Decoder(config, config.encoder_width)
        self.bridges = self._make_bridges()
        self.output = nn.Linear(config.embedding_size, vocab_size, bias=False)
        tie_embeddings(self, config.tie_embeddings)
        self._initialise()

    def encode(self, src: Tensor) -> Encoded:
        """Encode source ids (batch, src_len).

        With attention, memory holds values (batch, src_len, encoder_width) and, for bahdanau, keys
        (batch, src_len, attention_size). Without, the context (batch, encoder_width) is state, as
        are the layers' states and, fed back, the last output.
        """
        mask = src != PAD_ID
        values, lasts = self.encoder(self._embed(self.src_embedding, src), mask)
        context = lasts[-1][:, : self.config.encoder_width]
        drop = self.encoder_dropout
        context = drop(context.unsqueeze(1)).squeeze(1)
        return self.decoder.start(drop(values), context, self._firsts(lasts), mask)

    def decode(self, encoded: Encoded, tgt_in: Tensor) -> Tensor:
        """Hidden states (batch, tgt_len, embedding_size)."""
        hidden: Tensor = self.decoder(self._embed(self.tgt_embedding, tgt_in), encoded)
        return hidden

    def step(self, last_ids: Tensor, state: Tensors, memory: Tensors, src_mask: Tensor) -> Step:
        """Decode one token; attention is None where the context is fixed.

        For evaluation: dropout that chooses once a sentence has no place to remember its choice.
        """
        word = self.decoder.read(self._embed(self.tgt_embedding, last_ids))
        state, hidden, weights = self.decoder.advance(word, state, memory, src_mask)
        return Step(self.project(hidden), state, weights)

    @property
    def bridge_layers(self) -> list[nn.Linear]:
        """One for each decoder layer, none where states are equally wide."""
        return [cast(nn.Linear, bridge) for bridge in self.bridges]

    def source_layer(self, i: int) -> int:
        """The encoder layer whose last states decoder layer i goes on from; the top ones meet."""
        return max(0, i + self.config.encoder_layers - self.config.decoder_layers)

    def _firsts(self, lasts: list[Tensor]) -> list[Tensor]:
        """The decoder layers' first states (batch, state_size): the encoder's, or tanh(W last)."""
        found = [lasts[self.source_layer(i)] for i in range(self.config.decoder_layers)]
        if not self.bridges:
            return found
        return [torch.tanh(bridge(x)) for bridge, x in zip(self.bridges, found, strict=True)]

    def _make_bridges(self) -> nn.ModuleList:
        width, size = self.config.encoder_width, self.config.decoder_size
        parts = CELLS[self.config.cell].parts
        count = 0 if width == size else self.config.decoder_layers
        return nn.ModuleList(nn.Linear(parts * width, parts * size) for _ in range(count))

    def _embed(self, embedding: nn.Embedding, ids: Tensor) -> Tensor:
        embedded = scaled_embedding(self.word_dropout(embedding(ids)))
        kept: Tensor = self.embedding_dropout(embedded)
        return kept

    def _initialise(self) -> None:
        """Cells, decoder and bridges in their own ways; embeddings of unit length."""
        for layer in self.encoder.layers:
            for cell in cast(EncoderLayer, layer).directions:
                cell.initialise()
        self.decoder.initialise()
        for bridge in self.bridge_layers:
            nn.init.xavier_uniform_(bridge.weight)
            nn.init.zeros_(bridge.bias)
        for table in (self.src_embedding, self.tgt_embedding, self.output):
            nn.init.normal_(table.weight, std=self.config.embedding_size**-0.5)


FAMILY = Family(RecurrentConfig, Recurrent, "Stacked recurrent encoder-decoder, Luong et al. 2015")
