"""The attention GRU, whole: Bahdanau et al. 2015, appendix A, in the appendix's order.

"Neural Machine Translation by Jointly Learning to Align and Translate". The decoder is the
conditional GRU of two cells that dl4mt and Nematus made of it: the first cell reads the previous
word, its state asks the attention, and the second cell reads the context.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from mt.tokenizer import PAD_ID
from training.models import recurrence
from training.models.attentive_recurrence import (
    NOTHING_DROPPED,
    Kept,
    Memory,
    Norms,
    Weights,
    conditional_states,
)
from training.models.dropout import Dropout, WordDropout
from training.models.family import Family, ModelConfig
from training.models.gate_norm import gate_norm
from training.models.gru_cell import GRUCell, next_state
from training.models.norm_tape import Norm
from training.models.recurrence import gru_states, scaled
from training.models.seq2seq import Encoded, Seq2Seq, Step, Tensors
from training.models.tying import Tying, tie_embeddings


class GRUConfig(ModelConfig):
    """Sizes and choices of a recurrent model."""

    family: Literal["gru"] = "gru"
    embedding_size: int = Field(ge=1)
    encoder_size: int = Field(ge=1, description="state of each of the two directions")
    decoder_size: int = Field(ge=1)
    attention_size: int = Field(ge=1)
    attention: Literal["bahdanau", "none"] = Field(
        "bahdanau", description="none: one fixed context, the encoder's two last states"
    )
    dropout: float = Field(0.3, ge=0, lt=1, description="on embeddings")
    dropout_output: float = Field(0.5, ge=0, lt=1, description="on encoder states, deep output")
    word_dropout: float = Field(0.0, ge=0, lt=1, description="on whole words of both sides")
    dropout_hidden: float = Field(
        0.0, ge=0, lt=1, description="on decoder states and contexts, as deep output reads them"
    )
    dropout_state: float = Field(
        0.0, ge=0, lt=1, description="on what cells read of their state; one choice a sentence"
    )
    variational: bool = Field(
        False, description="all dropouts but word_dropout choose once a sentence, not once a step"
    )
    tie_embeddings: Tying = Field(
        "three-way", description="two-way: decoder input = output; three-way: encoder input as well"
    )
    layer_norm: bool = Field(False, description="of what the gates read, in every cell")


def dropout_of(p: float, config: GRUConfig) -> Dropout:
    """Dropout from tensors (batch, length, d).

    Variational, it drops the same features at every step of a sentence: Gal and Ghahramani 2016,
    "A Theoretically Grounded Application of Dropout in Recurrent Neural Networks", section 4.
    """
    return Dropout(p, over=-2 if config.variational else None)


class AdditiveAttention(nn.Module):
    """e_j = v . tanh(W s + U h_j), weights softmax(e), appendix A.1.2.

    W carries the only bias: a second one, on U, would add to the same sum.
    """

    def __init__(self, query_size: int, key_size: int, attention_size: int) -> None:
        super().__init__()
        self.query = nn.Linear(query_size, attention_size)
        self.key = nn.Linear(key_size, attention_size, bias=False)
        self.energy = nn.Parameter(torch.empty(attention_size))

    def forward(
        self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Context (batch, value) and weights (batch, src_len).

        query (batch, query_size); keys (batch, src_len, attention_size), `self.key` of the encoder
        states, projected once; values (batch, src_len, value); mask (batch, src_len), True at
        tokens.
        """
        hidden = torch.tanh(keys + self.query(query).unsqueeze(1))
        energies = hidden @ self.energy.to(hidden.dtype)  # (batch, src_len)
        lowest = torch.finfo(energies.dtype).min  # finite: a row without any token gives no NaN
        weights = energies.masked_fill(~mask, lowest).softmax(-1).to(values.dtype)
        return torch.bmm(weights.unsqueeze(1), values).squeeze(1), weights


class DeepOutput(nn.Module):
    """tanh(W s + C c + V y), appendix A.2.2 with tanh for maxout, as wide as an embedding."""

    def __init__(self, config: GRUConfig) -> None:
        super().__init__()
        self.state = nn.Linear(config.decoder_size, config.embedding_size)
        self.context = nn.Linear(2 * config.encoder_size, config.embedding_size)
        self.embedding = nn.Linear(config.embedding_size, config.embedding_size)
        self.hidden_dropout = dropout_of(config.dropout_hidden, config)
        self.dropout = dropout_of(config.dropout_output, config)

    def forward(self, states: Tensor, contexts: Tensor, embedded: Tensor) -> Tensor:
        """Any leading axes alike -> (..., embedding_size)."""
        states, contexts = self.hidden_dropout(states), self.hidden_dropout(contexts)
        total = self.state(states) + self.context(contexts) + self.embedding(embedded)
        hidden: Tensor = self.dropout(torch.tanh(total))
        return hidden


def reverse_tokens(x: Tensor, mask: Tensor) -> Tensor:
    """Each sentence of x (batch, src_len, d) from its last token to its first.

    mask (batch, src_len), True at tokens; the padding on the right stays where it is.
    """
    places = torch.arange(x.shape[1], device=x.device)
    order = torch.where(mask, mask.sum(1, keepdim=True) - 1 - places, places)
    return x.gather(1, order.unsqueeze(-1).expand_as(x))


class Encoder(nn.Module):
    """A bidirectional GRU: each word's annotation has read both sides, appendix A.2.1."""

    def __init__(self, config: GRUConfig) -> None:
        super().__init__()
        size, self.layer_norm = config.encoder_size, config.layer_norm
        self.gru = nn.GRU(config.embedding_size, size, batch_first=True, bidirectional=True)
        self.input_norm = gate_norm(config.layer_norm, 3, size, 2, 1)
        self.hidden_norm = gate_norm(config.layer_norm, 3, size, 2, 1)
        self.state_dropout = Dropout(config.dropout_state)
        self.dropout = dropout_of(config.dropout_output, config)

    def forward(self, embedded: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Annotations (batch, src_len, 2 * encoder_size), and both directions' last states.

        embedded (batch, src_len, embedding_size); last states (batch, 2 * encoder_size).
        """
        # packing sends lengths to the CPU: in training no GPU is waited for
        by_cells = self.training and (self.state_dropout.p > 0 or embedded.is_cuda)
        by_cells = by_cells or self.layer_norm or recurrence.pays(embedded)
        annotations, last = (self.read_by_cells if by_cells else self.read)(embedded, mask)
        return self.dropout(annotations), self.dropout(last.unsqueeze(1)).squeeze(1)

    def read(self, embedded: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """PyTorch's recurrence, which takes the cells as they are."""
        lengths = mask.sum(1).clamp(min=1).cpu()  # packing wants them there, and none empty
        packed = pack_padded_sequence(embedded, lengths, batch_first=True, enforce_sorted=False)
        states, last = self.gru(packed)
        annotations, _ = pad_packed_sequence(states, True, total_length=embedded.shape[1])
        return annotations, last.transpose(0, 1).flatten(1)

    def read_by_cells(self, embedded: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The same step by step, both directions at once; the second reads reversed sentences.

        Padding comes after every token in both, so no state of a token has read any.
        """
        both = torch.stack((embedded, reverse_tokens(embedded, mask))).transpose(1, 2)
        inputs = self._project(both)
        first = embedded.new_zeros(2, len(embedded), self.gru.hidden_size)
        kept = self.state_dropout.draw(first)
        if recurrence.pays(inputs):
            states = gru_states(inputs, *self.directions("hh"), Norm.of(self.hidden_norm), kept)
        else:
            states = self.loop(inputs, first, kept)
        forth, back = states.permute(1, 2, 0, 3)  # each (batch, src_len, size)
        annotations = torch.cat((forth, reverse_tokens(back, mask)), -1)
        return annotations * mask.unsqueeze(-1), self._last(annotations, mask)

    def loop(self, inputs: Tensor, hidden: Tensor, kept: Tensor | None) -> Tensor:
        """States (src_len, 2, batch, size) of both cells, from `hidden` (2, batch, size)."""
        states, (weights, biases) = [], self.directions("hh")
        for words in inputs.unbind():
            recurrent = torch.baddbmm(biases, scaled(hidden, kept), weights)
            hidden = next_state(words, self.hidden_norm(recurrent), hidden)
            states.append(hidden)
        return torch.stack(states)

    def _project(self, both: Tensor) -> Tensor:
        """W x of both directions (2, src_len, batch, d) -> (src_len, 2, batch, 3 * size)."""
        weights, biases = self.directions("ih")
        inputs: Tensor = self.input_norm(torch.baddbmm(biases, both.flatten(1, 2), weights))
        return inputs.view(*both.shape[:3], -1).transpose(0, 1)

    def directions(self, name: str) -> tuple[Tensor, Tensor]:
        """Weights (2, d_in, 3 * size), for products from the right, and biases (2, 1, 3 * size)."""
        gru, suffixes = self.gru, (f"{name}_l0", f"{name}_l0_reverse")
        weights = torch.stack([getattr(gru, f"weight_{suffix}") for suffix in suffixes])
        biases = torch.stack([getattr(gru, f"bias_{suffix}") for suffix in suffixes])
        return weights.transpose(1, 2), biases.unsqueeze(1)

    def _last(self, annotations: Tensor, mask: Tensor) -> Tensor:
        """Where each direction ends: at the last token, and at the first (batch, 2 * size)."""
        size, rows = self.gru.hidden_size, torch.arange(len(mask), device=mask.device)
        ends = annotations[rows, mask.sum(1).clamp(min=1) - 1, :size]
        return torch.cat((ends, annotations[:, 0, size:]), -1)


class GRU(Seq2Seq):
    """Encoder, attention, conditional decoder, deep output; or one fixed context for every word."""

    compiled = ("_advance",)  # a graph of the whole loop would be another for each length

    def __init__(self, config: GRUConfig, vocab_size: int) -> None:
        super().__init__()
        self.config, self.vocab_size = config, vocab_size
        both, size = 2 * config.encoder_size, config.decoder_size
        self.src_embedding = nn.Embedding(vocab_size, config.embedding_size)
        self.tgt_embedding = nn.Embedding(vocab_size, config.embedding_size)
        self.word_dropout = WordDropout(config.word_dropout)
        self.embedding_dropout = dropout_of(config.dropout, config)
        self.state_dropout = Dropout(config.dropout_state)
        self.encoder = Encoder(config)
        self.first_state = nn.Linear(both, size)
        self.attention: AdditiveAttention | None = None
        if config.attention == "bahdanau":
            self.attention = AdditiveAttention(size, both, config.attention_size)
        self.word_cell = GRUCell(config.embedding_size, size, config.layer_norm)
        self.context_cell = GRUCell(both, size, config.layer_norm)
        self.deep_output = DeepOutput(config)
        self.output = nn.Linear(config.embedding_size, vocab_size, bias=False)
        tie_embeddings(self, config.tie_embeddings)
        self._initialise()

    def encode(self, src: Tensor) -> Encoded:
        """Encode source ids (batch, src_len).

        With attention, memory holds keys (batch, src_len, attention_size) and values (batch,
        src_len, 2 * encoder_size). Without, the one context (batch, 2 * encoder_size) is state.
        """
        src_mask = src != PAD_ID
        annotations, last = self.encoder(self._embed(self.src_embedding, src), src_mask)
        state = {"positions": torch.zeros(len(src), dtype=torch.int64, device=src.device)}
        if self.attention is None:
            state |= {"hidden": self._first_state(last), "context": last}
            return Encoded({}, src_mask, state)
        tokens = src_mask.unsqueeze(-1).to(annotations.dtype)
        mean = (annotations * tokens).sum(1) / tokens.sum(1).clamp(min=1)
        memory = {"keys": self.attention.key(annotations), "values": annotations}
        return Encoded(memory, src_mask, state | {"hidden": self._first_state(mean)})

    def decode(self, encoded: Encoded, tgt_in: Tensor) -> Tensor:
        """Hidden states (batch, tgt_len, embedding_size); only the recurrence is in the loop."""
        embedded = self._embed(self.tgt_embedding, tgt_in)
        words, first = self.word_cell.project(embedded), encoded.state["hidden"]
        kept = Kept(self.state_dropout.draw(first), self.state_dropout.draw(first))
        if self.attention is None or not recurrence.pays(words):
            states, contexts = self.loop(words, encoded, kept)
        else:
            memory = Memory(**encoded.memory, mask=encoded.src_mask)
            weights, norms = self._loop_weights(self.attention), self._loop_norms()
            by_step = conditional_states(words.transpose(0, 1), first, memory, kept, weights, norms)
            states, contexts = (x.transpose(0, 1) for x in by_step)
        hidden: Tensor = self.deep_output(states, contexts, embedded)
        return hidden

    def loop(self, words: Tensor, encoded: Encoded, kept: Kept) -> tuple[Tensor, Tensor]:
        """States (batch, tgt_len, decoder_size), contexts (batch, tgt_len, 2 * encoder_size)."""
        state, states, contexts = encoded.state, [], []
        for word in words.unbind(1):
            state, context, _ = self._advance(word, state, encoded.memory, encoded.src_mask, kept)
            states.append(state["hidden"])
            contexts.append(context)
        return torch.stack(states, 1), torch.stack(contexts, 1)

    def step(self, last_ids: Tensor, state: Tensors, memory: Tensors, src_mask: Tensor) -> Step:
        """Decode one token; attention is None where the context is fixed.

        For evaluation: dropout that chooses once a sentence has no place to remember its choice.
        """
        embedded = self._embed(self.tgt_embedding, last_ids)
        word = self.word_cell.project(embedded)
        state, context, weights = self._advance(word, state, memory, src_mask)
        logits = self.project(self.deep_output(state["hidden"], context, embedded))
        return Step(logits, state, weights)

    def _advance(
        self,
        word: Tensor,
        state: Tensors,
        memory: Tensors,
        mask: Tensor,
        kept: Kept = NOTHING_DROPPED,
    ) -> tuple[Tensors, Tensor, Tensor | None]:
        """The conditional GRU: new state, context, weights of one word, projected for cell 1."""
        hidden = self.word_cell(word, state["hidden"], kept.by_word_cell)
        if self.attention is None:
            context, weights = state["context"], None
        else:
            context, weights = self.attention(hidden, memory["keys"], memory["values"], mask)
        inputs = self.context_cell.project(context)
        hidden = self.context_cell(inputs, hidden, kept.by_context_cell)
        return {**state, "hidden": hidden, "positions": state["positions"] + 1}, context, weights

    def _loop_weights(self, attention: AdditiveAttention) -> Weights:
        """What `conditional_states` multiplies by."""
        word, query, context = self.word_cell.hidden, attention.query, self.context_cell
        return Weights(
            *(word.weight, word.bias),
            *(query.weight, query.bias, attention.energy),
            *(context.input.weight, context.input.bias),
            *(context.hidden.weight, context.hidden.bias),
        )

    def _loop_norms(self) -> Norms:
        word, context = self.word_cell, self.context_cell
        return Norms(*map(Norm.of, (word.hidden_norm, context.input_norm, context.hidden_norm)))

    def _embed(self, embedding: nn.Embedding, ids: Tensor) -> Tensor:
        embedded: Tensor = self.embedding_dropout(self.word_dropout(embedding(ids)))
        return embedded

    def _first_state(self, summary: Tensor) -> Tensor:
        return torch.tanh(self.first_state(summary))

    def _initialise(self) -> None:
        """Xavier for inputs, orthogonal for recurrences gate by gate, biases zero."""
        for name, weight in self.named_parameters():
            if "norm" in name:
                continue  # starts as the identity
            if "bias" in name:
                nn.init.zeros_(weight)
            elif "weight_hh" in name or name.endswith("cell.hidden.weight"):
                for gate in weight.chunk(3):
                    nn.init.orthogonal_(gate)
            elif "weight_ih" in name or name.endswith("cell.input.weight"):
                for gate in weight.chunk(3):
                    nn.init.xavier_uniform_(gate)
            elif weight.dim() == 2:
                nn.init.xavier_uniform_(weight)
        if self.attention is not None:
            nn.init.normal_(self.attention.energy, std=self.config.attention_size**-0.5)
        for table in (self.src_embedding, self.tgt_embedding, self.output):
            nn.init.normal_(table.weight, std=self.config.embedding_size**-0.5)


FAMILY = Family(GRUConfig, GRU, "GRU encoder-decoder, Bahdanau et al. 2015")
