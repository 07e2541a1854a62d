"""A stacked recurrent decoder: Luong et al. 2015, sections 3.1 and 3.3, whatever has encoded.

"Effective Approaches to Attention-based Neural Machine Translation". The lowest cell reads the last
word and, with input feeding, the last attentional output; the top one asks the attention.
"""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple, cast

import torch
from pydantic import Field
from torch import Tensor, nn

from training.models.cell import Cell
from training.models.cells import CELLS, CellName, run
from training.models.dropout import Dropout
from training.models.family import ModelConfig
from training.models.luong_attention import attend, make_score
from training.models.recurrence import scaled
from training.models.seq2seq import Encoded, Tensors


class DecoderConfig(ModelConfig):
    """Sizes and choices of a stacked recurrent decoder."""

    cell: CellName = "lstm"
    embedding_size: int = Field(ge=1, description="also of what the output layer reads")
    decoder_size: int = Field(ge=1, description="of every cell's output")
    decoder_layers: int = Field(1, ge=1, le=4, description="residual from the second on")
    attention: Literal["none", "bahdanau", "dot", "general"] = Field(
        "general", description="none: one fixed context for every word"
    )
    attention_size: int | None = Field(
        None, ge=1, description="of bahdanau's energies, decoder_size unless given"
    )
    input_feeding: bool = Field(True, description="the lowest cell reads the last output too")
    layer_norm: bool = Field(False, description="of what the gates read, in every cell")
    dropout: float = Field(0.3, ge=0, lt=1, description="on embeddings")
    dropout_output: float = Field(0.3, ge=0, lt=1, description="on encoder states and the output")
    dropout_hidden: float = Field(
        0.0, ge=0, lt=1, description="on outputs of cells, as the next layer and the output read"
    )
    dropout_state: float = Field(
        0.0, ge=0, lt=1, description="on what cells read of their state; one choice a sentence"
    )
    word_dropout: float = Field(0.0, ge=0, lt=1, description="on whole words of both sides")
    variational: bool = Field(
        False, description="all dropouts but word_dropout choose once a sentence, not once a step"
    )


def dropout_of(p: float, config: DecoderConfig) -> Dropout:
    """Dropout from tensors (batch, length, d); variational, of the same features at every step."""
    return Dropout(p, over=-2 if config.variational else None)


def scaled_embedding(embedded: Tensor) -> Tensor:
    """Embeddings (..., d) times sqrt(d), as in section 3.4 of Vaswani et al. 2017.

    Tied to the output layer, a vector has unit length: numbers so small that gates hardly move by
    them. Without, `demo-lstm` has BLEU 18 on 50 sentences after 700 updates; so, 68 after 400.
    """
    return embedded * math.sqrt(embedded.shape[-1])


class Kept(NamedTuple):
    """What dropout leaves of each layer, chosen before the first step; None where all is left."""

    states: Sequence[Tensor | None]  # (batch, decoder_size), for all steps
    outputs: Sequence[Tensor | None]  # (batch, tgt_len, decoder_size), or without tgt_len for one

    def at(self, t: int) -> "Kept":
        """For one step."""
        return Kept(self.states, [None if x is None else x[:, t] for x in self.outputs])


class Decoder(nn.Module):
    """Stacked cells, a score, and h~ = tanh(W_c [c; h]), equation 5, as wide as an embedding."""

    def __init__(self, config: DecoderConfig, value_size: int) -> None:
        """For encoder states (batch, src_len, value_size)."""
        super().__init__()
        size, self.config, self.value_size = config.decoder_size, config, value_size
        cell = CELLS[config.cell]
        inputs = [config.embedding_size, *[size] * (config.decoder_layers - 1)]
        self.cells = nn.ModuleList(cell(n, size, config.layer_norm) for n in inputs)
        self.feed: nn.Linear | None = None
        if config.input_feeding:
            self.feed = nn.Linear(config.embedding_size, cell.gates * size, bias=False)
        self.score = None
        if config.attention != "none":
            energies = config.attention_size or size
            self.score = make_score(config.attention, size, value_size, energies)
        self.combine = nn.Linear(value_size + size, config.embedding_size)
        self.state_dropout = Dropout(config.dropout_state)
        self.hidden_dropout = dropout_of(config.dropout_hidden, config)
        self.output_dropout = dropout_of(config.dropout_output, config)

    @property
    def layers(self) -> list[Cell]:
        """The cells from the lowest to the top one."""
        return [cast(Cell, cell) for cell in self.cells]

    def start(self, values: Tensor, context: Tensor, firsts: list[Tensor], mask: Tensor) -> Encoded:
        """What decoding begins with.

        values (batch, src_len, value_size) for the attention; context (batch, value_size) in its
        place where there is none; firsts: of each layer the first state (batch, state_size).
        """
        batch, device = len(mask), mask.device
        state = {f"hidden.{i}": first for i, first in enumerate(firsts)}
        state["positions"] = torch.zeros(batch, dtype=torch.int64, device=device)
        if self.feed is not None:
            state["fed"] = values.new_zeros(batch, self.feed.in_features)
        if self.score is None:
            return Encoded({}, mask, {**state, "context": context})
        keys = self.score.keys(values)
        memory = {"values": values} | ({} if keys is None else {"keys": keys})
        return Encoded(memory, mask, state)

    def forward(self, embedded: Tensor, encoded: Encoded) -> Tensor:
        """Outputs h~ (batch, tgt_len, embedding_size) of words (batch, tgt_len, embedding_size)."""
        like = embedded[..., :1].expand(*embedded.shape[:2], self.config.decoder_size)
        states = [self.state_dropout.draw(like[:, 0]) for _ in self.cells]
        outputs = [self.hidden_dropout.draw(like) for _ in self.cells]
        kept = Kept(states, [x if x is None else x.expand_as(like) for x in outputs])
        walk = self.by_layers if self.feed is None else self.by_words
        hidden: Tensor = self.output_dropout(walk(embedded, encoded, kept))
        return hidden

    def by_words(self, embedded: Tensor, encoded: Encoded, kept: Kept) -> Tensor:
        """With input feeding a word must wait for the output before it."""
        state, outputs = encoded.state, []
        for t, word in enumerate(self.read(embedded).unbind(1)):
            state, output, _ = self.advance(
                word, state, encoded.memory, encoded.src_mask, kept.at(t)
            )
            outputs.append(output)
        return torch.stack(outputs, 1)

    def by_layers(self, embedded: Tensor, encoded: Encoded, kept: Kept) -> Tensor:
        """Without, each layer reads the whole sentence, and all words attend at once."""
        below, reads = None, embedded
        for i, cell in enumerate(self.layers):
            first = encoded.state[f"hidden.{i}"]
            output = cell.output(run(cell, cell.project(reads), first, kept.states[i]))
            below = with_residual(output, below)
            reads = scaled(below, kept.outputs[i])
        return self.look(reads, encoded.state, encoded.memory, encoded.src_mask)[0]

    def read(self, embedded: Tensor) -> Tensor:
        """What `advance` reads of words (..., embedding_size), all at once."""
        words: Tensor = self.layers[0].input(embedded)
        return words

    def advance(
        self,
        word: Tensor,
        state: Tensors,
        memory: Tensors,
        mask: Tensor,
        kept: Kept | None = None,
    ) -> tuple[Tensors, Tensor, Tensor | None]:
        """New state, output (rows, embedding_size) and weights (rows, src_len) after one word."""
        kept = kept or Kept(*[[None] * len(self.cells)] * 2)
        after = {**state, "positions": state["positions"] + 1}
        if self.feed is not None:
            word = word + self.feed(state["fed"])
        below, reads = None, word
        for i, cell in enumerate(self.layers):
            inputs = cell.project(reads) if i else cell.input_norm(word)
            after[f"hidden.{i}"] = cell(inputs, state[f"hidden.{i}"], kept.states[i])
            below = with_residual(cell.output(after[f"hidden.{i}"]), below)
            reads = scaled(below, kept.outputs[i])
        hidden, weights = self.look(reads.unsqueeze(1), state, memory, mask)
        if self.feed is not None:
            after["fed"] = hidden.squeeze(1)
        return after, hidden.squeeze(1), None if weights is None else weights.squeeze(1)

    def look(
        self, queries: Tensor, state: Tensors, memory: Tensors, mask: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """h~ (batch, steps, embedding_size) of the top cell's outputs (batch, steps, decoder_size).

        Weights (batch, steps, src_len) are None where the context is fixed.
        """
        if self.score is None:
            contexts, weights = state["context"].unsqueeze(1), None
            contexts = contexts.expand(-1, queries.shape[1], -1)
        else:
            values = memory["values"]
            energies = self.score(queries, memory.get("keys", values))
            contexts, weights = attend(energies, values, mask)
        return torch.tanh(self.combine(torch.cat((contexts, queries), -1))), weights

    def initialise(self) -> None:
        """Cells and score in their own ways, all else Xavier with zero biases."""
        for cell in self.layers:
            cell.initialise()
        if self.score is not None:
            self.score.initialise()
        if self.feed is not None:
            for gate in self.feed.weight.chunk(self.layers[0].gates):
                nn.init.xavier_uniform_(gate)
        nn.init.xavier_uniform_(self.combine.weight)
        nn.init.zeros_(self.combine.bias)


def with_residual(output: Tensor, below: Tensor | None) -> Tensor:
    """A layer's output plus what it has read, from the second layer on.

    Wu et al. 2016, "Google's Neural Machine Translation System", section 3.1.
    """
    return output if below is None else below + output
