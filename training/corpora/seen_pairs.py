"""Which pairs came before: eight bytes of each, in sorted runs, on disk where they are many.

The runs are those of a log-structured merge tree: each chunk of new digests is one, and whenever
the last run has at least half the size of the one before, the two are merged; so there are never
more than about log2(pairs / chunk) to look into.

Two different pairs of n are taken for the same with a probability below n**2 / 2**65: one in 3,700
for a hundred million.
"""

import os
import tempfile
from collections.abc import Iterable, Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from training.corpora.pair import Pair

Digests = npt.NDArray[np.uint64]

IN_MEMORY = 1 << 23  # digests of one run, 64 MiB; longer ones lie on disk
_MERGED_AT_ONCE = 1 << 20


class SeenPairs:
    """A set of digests that costs eight bytes each, and grows by chunks of some thousand.

    in_memory: the longest run that is kept in memory; longer ones are files that have no name, in
    the folder that `TMPDIR` names, and end with this object.
    """

    def __init__(self, in_memory: int = IN_MEMORY) -> None:
        self._in_memory = in_memory
        self._runs: list[Digests] = []

    def __len__(self) -> int:
        return sum(map(len, self._runs))

    def unseen(self, digests: Digests) -> npt.NDArray[np.bool_]:
        """Which of these came neither before nor earlier among them; nothing is remembered."""
        distinct, first = np.unique(digests, return_index=True)
        new = np.ones(len(distinct), np.bool_)
        for run in self._runs:
            new &= ~_contains(run, distinct)
        mask = np.zeros(len(digests), np.bool_)
        mask[first[new]] = True
        return mask

    def add(self, digests: Digests) -> None:
        """Remember these; all of them are `unseen` so far."""
        if not len(digests):
            return
        self._runs.append(np.sort(digests))
        while len(self._runs) > 1 and 2 * len(self._runs[-1]) >= len(self._runs[-2]):
            last, before = self._runs.pop(), self._runs.pop()
            self._runs.append(self._merged(before, last))

    def _merged(self, a: Digests, b: Digests) -> Digests:
        """One sorted run of two."""
        merged = self._room(len(a) + len(b))
        starts = range(0, len(a), _MERGED_AT_ONCE)
        cuts = [0, *(int(np.searchsorted(b, a[start])) for start in starts[1:]), len(b)]
        for start, b_start, b_end in zip(starts, cuts, cuts[1:], strict=False):
            parts = a[start : start + _MERGED_AT_ONCE], b[b_start:b_end]
            end = start + len(parts[0]) + b_end
            merged[start + b_start : end] = np.sort(np.concatenate(parts), kind="stable")
        return merged

    def _room(self, size: int) -> Digests:
        if size <= self._in_memory:
            return np.empty(size, np.uint64)
        with tempfile.TemporaryFile(prefix="seq2serve-") as file:
            os.posix_fallocate(file.fileno(), 0, 8 * size)  # a full disk says so now
            return np.memmap(file, np.uint64, "w+", shape=size).view(np.ndarray)


def digests(pairs: Iterable[Pair | Sequence[str]]) -> Digests:
    """Eight bytes of every pair."""
    parts = (blake2b("\n".join(pair).encode(), digest_size=8).digest() for pair in pairs)
    return np.frombuffer(b"".join(parts), np.uint64)


def _contains(run: Digests, wanted: Digests) -> npt.NDArray[np.bool_]:
    """Which of some sorted digests stand in a sorted run."""
    places = np.minimum(np.searchsorted(run, wanted), len(run) - 1)
    found: npt.NDArray[np.bool_] = run[places] == wanted
    return found
