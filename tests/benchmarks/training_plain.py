"""The Transformer as PyTorch's own modules and tutorials build it, and a loop as they write it."""

from collections.abc import Iterator
from itertools import cycle

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mt.tokenizer import PAD_ID
from tests.benchmarks.training_data import recipe_for
from tests.benchmarks.training_peers.job import Job
from tests.benchmarks.training_peers.meter import Meter
from training.batching import Batch, BatchingConfig, collate, updates
from training.dataset import TokenDataset
from training.models.transformer import TransformerConfig, positional_encoding
from training.prepare import Prepared


def train_plainly(job: Job, prepared: Prepared, meter: Meter, bucketed: bool) -> None:
    """Train for ever: random batches as in a tutorial, or with our sorting by length alone."""
    recipe = recipe_for(job)
    assert isinstance(recipe.model, TransformerConfig)
    model = Tutorial(recipe.model, prepared.tokenizer.vocab_size, job.label_smoothing).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=job.learning_rate, fused=True)
    for batch in _batches(prepared.dataset, recipe.batching, bucketed):
        meter.begin_update(batch.target_tokens)
        optimizer.zero_grad()
        torch.autograd.backward(model.loss(batch) / batch.target_tokens)
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


class Tutorial(nn.Module):
    """`torch.nn.Transformer` between tied embeddings, of the given sizes."""

    def __init__(self, config: TransformerConfig, vocab_size: int, smoothing: float) -> None:
        super().__init__()
        self.config, self.smoothing = config, smoothing
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

    def loss(self, batch: Batch) -> Tensor:
        """Summed label-smoothed cross-entropy, padding ignored."""
        pad = batch.src == PAD_ID
        causal = nn.Transformer.generate_square_subsequent_mask(batch.tgt_in.shape[1])
        hidden: Tensor = self.transformer(
            self._embed(batch.src),
            self._embed(batch.tgt_in),
            tgt_mask=causal,
            src_key_padding_mask=pad.float().masked_fill(pad, float("-inf")),
            memory_key_padding_mask=pad.float().masked_fill(pad, float("-inf")),
            tgt_is_causal=True,
        )
        return F.cross_entropy(
            F.linear(hidden, self.embedding.weight).flatten(0, 1),
            batch.tgt_out.flatten(),
            ignore_index=PAD_ID,
            reduction="sum",
            label_smoothing=self.smoothing,
        )

    def _embed(self, ids: Tensor) -> Tensor:
        d_model = self.config.d_model
        positions = positional_encoding(torch.arange(ids.shape[1]), d_model)
        embedded: Tensor = self.dropout(self.embedding(ids) * d_model**0.5 + positions)
        return embedded
