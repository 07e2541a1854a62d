"""Batches of about equal cost: sentences of like length together, as many as a token budget holds.

An epoch's order is a pure function of the seed and the epoch's number, so a run that was killed
continues with the very batch it would have seen.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor

from mt.config import Strict
from mt.tokenizer import BOS_ID, EOS_ID, PAD_ID
from training.dataset import TokenDataset

Indices = npt.NDArray[np.int64]

BLOCK = 1 << 22  # pairs, whose lengths and order take about 300 MB while they are planned


class BatchingConfig(Strict):
    """How much text one update sees."""

    max_tokens: int = Field(
        4096, gt=0, description="target tokens of one batch, padding and eos counted"
    )
    accumulate: int = Field(1, gt=0, description="batches whose gradients make one update")
    max_length: int = Field(
        128, gt=1, description="tokens of either side, eos counted; longer pairs are left out"
    )


@dataclass(frozen=True)
class Batch:
    """Token ids padded with pad_id: src (batch, src_len), tgt_in and tgt_out (batch, tgt_len).

    Sources and tgt_out end with eos; tgt_in is tgt_out one place to the right, with bos in front.
    real (tokens,) holds the places of tgt_out's tokens in its flattened form, padding left out, and
    targets (tokens,) the ids there: found once on the CPU, so that no device is waited for.
    """

    src: Tensor
    tgt_in: Tensor
    tgt_out: Tensor
    real: Tensor
    targets: Tensor

    @property
    def target_tokens(self) -> int:
        """Target tokens without padding, eos counted."""
        return len(self.real)

    def to(self, device: torch.device) -> "Batch":
        """The same batch on a device; out of pinned memory the copy runs beside the work."""
        return self._each(lambda part: part.to(device, non_blocking=True))

    def pinned(self) -> "Batch":
        """The same batch in memory that a GPU copies from by itself."""
        return self._each(Tensor.pin_memory)

    def halves(self) -> "list[Batch]":
        """Two batches of half the rows each; a batch of one row stays whole."""
        if len(self.src) == 1:
            return [self]
        half = len(self.src) // 2
        rows = (slice(None, half), slice(half, None))
        return [_batch(self.src[at], self.tgt_in[at], self.tgt_out[at]) for at in rows]

    def silent(self) -> "Batch":
        """The same batch, but none of its target tokens counts."""
        return replace(self, real=self.real[:0], targets=self.targets[:0])

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        parts = (self.src, self.tgt_in, self.tgt_out, self.real, self.targets)
        return Batch(*map(change, parts))


def _batch(src: Tensor, tgt_in: Tensor, tgt_out: Tensor) -> Batch:
    """A batch of padded ids, with the places of its target tokens."""
    flat = tgt_out.flatten()
    real = torch.nonzero(flat != PAD_ID).squeeze(1)
    return Batch(src, tgt_in, tgt_out, real, flat[real])


def plan_epoch(
    src_lengths: Indices,
    tgt_lengths: Indices,
    max_tokens: int,
    seed: int,
    epoch: int,
    block: int = 0,
) -> list[Indices]:
    """Pair numbers of every batch of one epoch, in training order; lengths count eos.

    Of an epoch in several blocks (see `Epoch`) only one is planned, whose lengths these are.

    Pairs are sorted by target, then source length with random ties, and cut so that no batch
    pads to more than `max_tokens` on the target side or twice that on the source side (a pair
    longer than the budget stands alone); then the batches are shuffled.
    """
    random = np.random.default_rng([seed, epoch, block])
    order = np.lexsort((random.permutation(len(tgt_lengths)), src_lengths, tgt_lengths))
    starts = _cut(src_lengths[order].tolist(), tgt_lengths[order].tolist(), max_tokens)
    batches = np.split(order, starts[1:])
    return [batches[i] for i in random.permutation(len(batches))]


def _cut(src_lengths: list[int], tgt_lengths: list[int], max_tokens: int) -> list[int]:
    """Where each batch starts, given lengths in sorted order."""
    starts, longest_src = [0], 0
    for i, (src, tgt) in enumerate(zip(src_lengths, tgt_lengths, strict=True)):
        longest_src = max(longest_src, src)
        rows = i + 1 - starts[-1]
        if rows > 1 and (rows * tgt > max_tokens or rows * longest_src > 2 * max_tokens):
            starts.append(i)
            longest_src = src
    return starts


def collate(
    sources: Sequence[npt.NDArray[np.int32]], targets: Sequence[npt.NDArray[np.int32]]
) -> Batch:
    """Pad sentences (ids without bos and eos) into one batch."""
    tgt_out = _pad(targets)
    tgt_in = np.roll(tgt_out, 1, axis=1)
    tgt_in[tgt_in == EOS_ID] = PAD_ID
    tgt_in[:, 0] = BOS_ID
    return _batch(*map(torch.from_numpy, (_pad(sources), tgt_in, tgt_out)))


def _pad(sentences: Sequence[npt.NDArray[np.int32]]) -> Indices:
    """Ids of each sentence, then eos, then padding (batch, length)."""
    lengths = np.fromiter(map(len, sentences), np.int64, len(sentences))[:, None]
    places = np.arange(lengths.max() + 1)
    padded = np.where(places == lengths, EOS_ID, PAD_ID)
    padded[places < lengths] = np.concatenate(sentences)
    return padded


@dataclass(frozen=True)
class UpdateBatches:
    """The batches of one update and where the run stands after it.

    epoch counts finished epochs; position counts updates done in the running one, of `per_epoch`;
    pairs are the numbers of its pairs in the dataset, those of other workers too; others_tokens are
    the target tokens that other workers have of this update.
    """

    batches: list[Batch]
    epoch: int
    position: int
    per_epoch: int
    pairs: tuple[int, ...] = ()
    others_tokens: int = 0

    @property
    def target_tokens(self) -> int:
        """Target tokens of the update, all workers together."""
        return sum(batch.target_tokens for batch in self.batches) + self.others_tokens


@dataclass(frozen=True)
class Share:
    """Which part of every update a worker computes: rank, of size.

    by_rows: some rows of each batch, perhaps none, so that all workers have as many batches.
    """

    rank: int = 0
    size: int = 1
    by_rows: bool = False

    def of(self, group: list[Indices]) -> list[Indices]:
        """Whole batches where they come out even, else some rows of each; perhaps none."""
        if self.by_rows:
            return [pairs[self.rank :: self.size] for pairs in group]
        if len(group) % self.size == 0:
            return group[self.rank :: self.size]
        rows = (pairs[self.rank :: self.size] for pairs in group)
        return [some for some in rows if len(some)]


class Epoch:
    """The updates of one pass over the pairs, planned a block at a time.

    Up to BLOCK pairs are one block. Of more, each goes to one of several blocks at random, anew in
    every epoch, so that planning never needs memory for more than about BLOCK of them.
    """

    def __init__(
        self,
        data: TokenDataset,
        config: BatchingConfig,
        seed: int,
        epoch: int,
        block: int | None = None,
    ) -> None:
        self._data, self._config, self._seed, self._epoch = data, config, seed, epoch
        self._blocks = -(-len(data.src) // (block or BLOCK))
        self._planned: tuple[int, list[list[Indices]]] | None = None
        self._counts = [len(self._updates(block)) for block in range(self._blocks)]

    def __len__(self) -> int:
        return sum(self._counts)

    def after(self, position: int) -> Iterator[list[Indices]]:
        """Pair numbers of the batches of every update, but for the first ones."""
        for block, count in enumerate(self._counts):
            if position < count:
                yield from self._updates(block)[position:]
            position = max(0, position - count)

    def _updates(self, block: int) -> list[list[Indices]]:
        if self._planned is None or self._planned[0] != block:
            numbers = self._members(block)
            lengths = self._data.src.lengths_of(numbers), self._data.tgt.lengths_of(numbers)
            batches = plan_epoch(
                *lengths, self._config.max_tokens, self._seed, self._epoch, block=block
            )
            plan, together = [numbers[batch] for batch in batches], self._config.accumulate
            grouped = [plan[i : i + together] for i in range(0, len(plan), together)]
            self._planned = block, grouped
        return self._planned[1]

    def _members(self, block: int) -> Indices:
        """Numbers of the pairs of a block."""
        pairs = len(self._data.src)
        if self._blocks == 1:
            return np.arange(pairs)
        key = np.random.default_rng([self._seed, self._epoch]).integers(2**63, dtype=np.uint64)
        ranges = (np.arange(i, min(i + BLOCK, pairs)) for i in range(0, pairs, BLOCK))
        members = (
            numbers[_mixed(numbers.astype(np.uint64) + key) % np.uint64(self._blocks) == block]
            for numbers in ranges
        )
        return np.concatenate(list(members))


def _mixed(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """A random-looking number for each (the finaliser of SplitMix64, Steele et al. 2014)."""
    mixed = numbers * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


WHOLE = Share()


def _read(data: TokenDataset, pairs: Indices) -> Batch:
    """The batch of these pairs; of none, one that has no target tokens."""
    if not len(pairs):
        return collate([data.src[0]], [data.tgt[0]]).silent()
    return collate([data.src[i] for i in pairs], [data.tgt[i] for i in pairs])


def updates(
    dataset: TokenDataset,
    config: BatchingConfig,
    seed: int,
    epoch: int = 0,
    position: int = 0,
    share: Share = WHOLE,
) -> Iterator[UpdateBatches]:
    """Endless stream of updates, from the given place on; only a worker's share is read."""
    while True:
        data = dataset.of_epoch(epoch)
        planned = Epoch(data, config, seed, epoch)
        for done, group in enumerate(planned.after(position), start=position + 1):
            batches = [_read(data, pairs) for pairs in share.of(group)]
            numbers = np.concatenate(group)
            mine = sum(batch.target_tokens for batch in batches)
            others = int(data.tgt.lengths_of(numbers).sum()) - mine
            pairs = tuple(numbers.tolist())
            yield UpdateBatches(batches, epoch, done, len(planned), pairs, others)
        epoch, position = epoch + 1, 0
