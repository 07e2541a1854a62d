"""Training speed: our loop's update beside the same sizes in PyTorch's own modules, in one run.

    python -m tests.benchmarks.training [--rounds 5] [--threads 1] [--tokens 2048]

The peer is `torch.nn.Transformer` with `torch.nn.functional.cross_entropy` and random (unbucketed)
batches of the same token budget: what a tutorial builds. Target tokens without padding are counted.
"""

import argparse
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mt.tokenizer import PAD_ID
from tests.benchmarks import report
from tests.benchmarks.contestants import RECIPES, VOCAB_SIZE, random_model
from training.batching import Batch, collate, plan_epoch
from training.cli import read_recipe
from training.cpu_memory import keep_freed_memory
from training.loss import batch_loss
from training.models.transformer import TransformerConfig, positional_encoding

PEER = "torch.nn.Transformer"
PAIRS = 4000
UPDATES = 3  # of one round


def main() -> None:
    arguments = _parser().parse_args()
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()
    bucketed, unbucketed = _batches(arguments.tokens)
    contestants = {
        "torch.nn.Transformer": _peer_round(cycle(unbucketed)),
        "torch.nn.Transformer, bucketed": _peer_round(cycle(bucketed)),
    } | {size: _our_round(size, cycle(bucketed)) for size in RECIPES}
    speeds = report.interleave(contestants, arguments.rounds)
    print(report.table("training, sizes S", speeds, PEER, "target tokens/s"))
    path = report.write(
        "training",
        {
            "unit": "target tokens per second without padding, median of rounds",
            "threads": arguments.threads,
            "rounds": arguments.rounds,
            "tokens_per_update": arguments.tokens,
            "machine": report.machine(("torch", "numpy")),
            "tokens_per_second": {name: round(speed, 1) for name, speed in speeds.items()},
            "ratio_to": PEER,
            "ratios": report.ratios(speeds, PEER),
        },
    )
    print(f"\nwritten to {path}")


def _batches(max_tokens: int) -> tuple[list[Batch], list[Batch]]:
    """Sentences of captions' lengths (mean 15, sd 4 tokens), in our batches and in random ones."""
    random = np.random.default_rng(1)
    lengths = random.normal(15, 4, (2, PAIRS)).round().clip(3, 40).astype(np.int64)
    text = [[random.integers(4, VOCAB_SIZE, n, dtype=np.int32) for n in side] for side in lengths]
    plan = plan_epoch(lengths[0] + 1, lengths[1] + 1, max_tokens, seed=1, epoch=0)
    rows = max_tokens // int(lengths[1].max() + 1)
    shuffled = np.split(random.permutation(PAIRS), range(rows, PAIRS, rows))
    return (
        [collate([text[0][i] for i in at], [text[1][i] for i in at]) for at in plan],
        [collate([text[0][i] for i in at], [text[1][i] for i in at]) for at in shuffled],
    )


def _our_round(size: str, batches: Iterator[Batch]) -> Callable[[], int]:
    model = random_model(size).train()
    return _round(model, batches, lambda batch: batch_loss(model, batch, 0.1))


def _peer_round(batches: Iterator[Batch]) -> Callable[[], int]:
    config = read_recipe(RECIPES["transformer-s"]).model
    assert isinstance(config, TransformerConfig)
    model = Tutorial(config).train()
    return _round(model, batches, model.loss)


def _round(
    model: nn.Module, batches: Iterator[Batch], loss_of: Callable[[Batch], Tensor]
) -> Callable[[], int]:
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)

    def work() -> int:
        tokens = 0
        for _ in range(UPDATES):
            batch = next(batches)
            torch.autograd.backward(loss_of(batch) / batch.target_tokens)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            tokens += batch.target_tokens
        return tokens

    return work


class Tutorial(nn.Module):
    """The Transformer as PyTorch's own modules and tutorials build it, of the same sizes."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(VOCAB_SIZE, config.d_model)
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

    def loss(self, batch: Batch) -> Tensor:
        """Summed label-smoothed cross-entropy, padding ignored."""
        pad = batch.src == PAD_ID
        causal = nn.Transformer.generate_square_subsequent_mask(batch.tgt_in.shape[1])
        hidden: Any = self.transformer(
            self._embed(batch.src),
            self._embed(batch.tgt_in),
            tgt_mask=causal,
            src_key_padding_mask=pad.float().masked_fill(pad, float("-inf")),
            memory_key_padding_mask=pad.float().masked_fill(pad, float("-inf")),
            tgt_is_causal=True,
        )
        logits = F.linear(hidden, self.embedding.weight).flatten(0, 1)
        return F.cross_entropy(
            logits,
            batch.tgt_out.flatten(),
            ignore_index=PAD_ID,
            reduction="sum",
            label_smoothing=0.1,
        )

    def _embed(self, ids: Tensor) -> Tensor:
        d_model = self.config.d_model
        positions = positional_encoding(torch.arange(ids.shape[1]), d_model)
        embedded: Tensor = self.dropout(self.embedding(ids) * d_model**0.5 + positions)
        return embedded


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Training speed, side by side")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--tokens", type=int, default=2048, help="target tokens an update")
    return parser


if __name__ == "__main__":
    main()
