"""Both families as PyTorch's own modules and tutorials build them, in a loop as they write it."""

from collections.abc import Iterator
from itertools import cycle

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from mt.tokenizer import PAD_ID
from tests.benchmarks.training_data import recipe_for
from tests.benchmarks.training_peers.job import Job
from tests.benchmarks.training_peers.meter import Meter
from training.batching import Batch, BatchingConfig, collate, updates
from training.dataset import TokenDataset
from training.models import ModelConfig
from training.models.gru import GRUConfig
from training.models.positions import positional_encoding
from training.models.transformer_config import TransformerConfig
from training.prepare import Prepared


def train_plainly(job: Job, prepared: Prepared, meter: Meter, bucketed: bool) -> None:
    """Train for ever: random batches as in a tutorial, or with our sorting by length alone."""
    recipe = recipe_for(job)
    model = tutorial(recipe.model, prepared.tokenizer.vocab_size).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=job.learning_rate, fused=True)
    for batch in _batches(prepared.dataset, recipe.batching, bucketed):
        meter.begin_update(batch.target_tokens)
        optimizer.zero_grad()
        torch.autograd.backward(loss(model, batch, job.label_smoothing) / batch.target_tokens)
        optimizer.step()


def _batches(dataset: TokenDataset, config: BatchingConfig, bucketed: bool) -> Iterator[Batch]:
    if bucketed:
        for update in updates(dataset, config, seed=1):
            yield from update.batches
    for pairs in cycle(random_plan(dataset, config.max_tokens)):
        yield collate([dataset.src[i] for i in pairs], [dataset.tgt[i] for i in pairs])


def random_plan(dataset: TokenDataset, max_tokens: int) -> list[list[int]]:
    """Pairs in random order, cut where the padded target side would exceed the budget."""
    plan: list[list[int]] = []
    longest, lengths = 0, dataset.tgt.lengths
    for i in np.random.default_rng(1).permutation(len(lengths)).tolist():
        longest = max(longest, int(lengths[i]))
        if not plan or longest * (len(plan[-1]) + 1) > max_tokens:
            plan.append([])
            longest = int(lengths[i])
        plan[-1].append(i)
    return plan


def tutorial(config: ModelConfig, vocab_size: int) -> nn.Module:
    """A plain model of the same sizes as ours: (source ids, target ids) -> logits."""
    if isinstance(config, GRUConfig):
        return TutorialGRU(config, vocab_size)
    assert isinstance(config, TransformerConfig)
    return TutorialTransformer(config, vocab_size)


def loss(model: nn.Module, batch: Batch, smoothing: float) -> Tensor:
    """Summed label-smoothed cross-entropy, padding ignored."""
    return F.cross_entropy(
        model(batch.src, batch.tgt_in).flatten(0, 1),
        batch.tgt_out.flatten(),
        ignore_index=PAD_ID,
        reduction="sum",
        label_smoothing=smoothing,
    )


class TutorialTransformer(nn.Module):
    """`torch.nn.Transformer` between tied embeddings."""

    def __init__(self, config: TransformerConfig, vocab_size: int) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(vocab_size, config.d_model)
        self.dropout = nn.Dropout(config.dropout)
        self.transformer = nn.Transformer(
            config.d_model,
            config.n_heads,
            config.encoder_layers,
            config.decoder_layers,
            config.d_ff,
            config.dropout,
            batch_first=True,
            norm_first=config.norm == "pre",
        )
        nn.init.normal_(self.embedding.weight, std=config.d_model**-0.5)

    def forward(self, src: Tensor, tgt_in: Tensor) -> Tensor:
        """Logits (batch, tgt_len, vocab)."""
        pad = (src == PAD_ID).float().masked_fill(src == PAD_ID, float("-inf"))
        hidden: Tensor = self.transformer(
            self._embed(src),
            self._embed(tgt_in),
            tgt_mask=nn.Transformer.generate_square_subsequent_mask(tgt_in.shape[1]),
            src_key_padding_mask=pad,
            memory_key_padding_mask=pad,
            tgt_is_causal=True,
        )
        return F.linear(hidden, self.embedding.weight)

    def _embed(self, ids: Tensor) -> Tensor:
        d_model = self.config.d_model
        positions = positional_encoding(torch.arange(ids.shape[1]), d_model)
        embedded: Tensor = self.dropout(self.embedding(ids) * d_model**0.5 + positions)
        return embedded


class TutorialGRU(nn.Module):
    """`torch.nn.GRU`, Bahdanau's attention and `torch.nn.GRUCell`, between tied embeddings.

    What does not depend on the state stays out of the loop: keys before it, the readout after it.
    """

    def __init__(self, config: GRUConfig, vocab_size: int) -> None:
        super().__init__()
        embedding, both = config.embedding_size, 2 * config.encoder_size
        self.embedding = nn.Embedding(vocab_size, embedding)
        self.encoder = nn.GRU(embedding, config.encoder_size, batch_first=True, bidirectional=True)
        self.first = nn.Linear(both, config.decoder_size)
        self.key = nn.Linear(both, config.attention_size)
        self.query = nn.Linear(config.decoder_size, config.attention_size, bias=False)
        self.energy = nn.Linear(config.attention_size, 1, bias=False)
        self.cell = nn.GRUCell(embedding + both, config.decoder_size)
        self.readout = nn.Linear(config.decoder_size + both + embedding, embedding)
        self.dropout = nn.Dropout(config.dropout)
        nn.init.normal_(self.embedding.weight, std=embedding**-0.5)

    def forward(self, src: Tensor, tgt_in: Tensor) -> Tensor:
        """Logits (batch, tgt_len, vocab)."""
        values, pad = self._encode(src), src == PAD_ID
        keys, embedded = self.key(values), self.dropout(self.embedding(tgt_in))
        state = torch.tanh(self.first(values.sum(1) / (~pad).sum(1, keepdim=True)))
        states, contexts = [], []
        for word in embedded.unbind(1):
            energies = self.energy(torch.tanh(keys + self.query(state).unsqueeze(1))).squeeze(2)
            weights = energies.masked_fill(pad, float("-inf")).softmax(1)
            contexts.append(torch.bmm(weights.unsqueeze(1), values).squeeze(1))
            state = self.cell(torch.cat((word, contexts[-1]), 1), state)
            states.append(state)
        joined = torch.cat((torch.stack(states, 1), torch.stack(contexts, 1), embedded), 2)
        hidden = self.dropout(torch.tanh(self.readout(joined)))
        return F.linear(hidden, self.embedding.weight)

    def _encode(self, src: Tensor) -> Tensor:
        """States of both directions (batch, src_len, 2 * encoder), zero at padding."""
        lengths = (src != PAD_ID).sum(1)
        packed = pack_padded_sequence(
            self.dropout(self.embedding(src)), lengths, batch_first=True, enforce_sorted=False
        )
        states, _ = pad_packed_sequence(self.encoder(packed)[0], batch_first=True)
        dropped: Tensor = self.dropout(states)
        return dropped
