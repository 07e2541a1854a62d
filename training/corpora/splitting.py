"""Splitting: cut validation and test off a corpus without leaking a sentence into training.

Pairs that share either side, compared without case and punctuation, stay together: they are the
connected components of a graph whose nodes are pairs and whose edges are shared sides.
"""

import random
import unicodedata
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from hashlib import blake2b
from itertools import islice
from tempfile import SpooledTemporaryFile
from typing import IO

import numpy as np
import numpy.typing as npt
from pydantic import Field

from mt.config import Strict
from mt.errors import CorpusError
from training.corpora.pair import Pair

TRAIN, VALIDATION, TEST = "train", "validation", "test"
SPLITS = (TRAIN, VALIDATION, TEST)

Numbers = npt.NDArray[np.uint32]

SIDE = np.dtype([("key", np.uint64), ("pair", np.uint32)])
CHUNK = 1 << 14  # pairs
DRAWERS = 64  # equal keys meet in one of them; each is sorted in memory by itself
IN_MEMORY = 1 << 20  # bytes of a drawer; longer ones lie on disk


class SplitConfig(Strict):
    """How many pairs to cut off for validation and test."""

    validation: int = Field(1000, ge=1, description="pairs, at most")
    test: int = Field(1000, ge=0, description="pairs, at most")
    seed: int = 1


def assign_splits(pairs: Iterable[Pair], config: SplitConfig) -> bytes:
    """Index into `SPLITS` of each pair, in order; one pass over the pairs, hashes kept, no text.

    Memory: about 16 bytes a pair, and 24 on disk in the folder that `TMPDIR` names.

    Components are drawn in a seeded order; each goes to validation or test, whichever is emptier
    and still has room for the whole of it, else to training.

    Raises:
        CorpusError: the corpus is too small, or too entangled, for what is asked.
    """
    roots = _components(pairs)
    held_out = config.validation + config.test
    if held_out >= len(roots):
        raise CorpusError(
            f"{held_out} pairs cannot be held out of {len(roots)}; "
            "lower split.validation and split.test"
        )
    assignment = _choose(roots, config)[roots].tobytes()
    for index, asked in ((1, config.validation), (2, config.test)):
        if asked and index not in assignment:
            raise CorpusError(
                f"no pairs can be cut off for {SPLITS[index]}: pairs that share a side form groups "
                "too large for split.validation and split.test; change these, or name files"
            )
    return assignment


def _choose(roots: Numbers, config: SplitConfig) -> npt.NDArray[np.uint8]:
    """Split of each component, at its root's number."""
    asked = {1: config.validation, 2: config.test}
    room = dict(asked)
    sizes = np.bincount(roots).astype(np.uint32)
    order = array("I", np.flatnonzero(sizes).astype(np.uint32).tobytes())
    random.Random(config.seed).shuffle(order)  # nosec B311 # a split is no secret
    chosen = np.zeros(len(sizes), np.uint8)
    for root in order:
        fitting = [split for split in room if sizes[root] <= room[split]]
        if fitting:
            chosen[root] = max(fitting, key=lambda split: room[split] / asked[split])
            room[int(chosen[root])] -= int(sizes[root])
        if not any(room.values()):
            break
    return chosen


def _components(pairs: Iterable[Pair]) -> Numbers:
    """For each pair the smallest number of a pair connected with it (union-find, path halving)."""
    with ExitStack() as stack:
        drawers = [stack.enter_context(SpooledTemporaryFile(IN_MEMORY)) for _ in range(DRAWERS)]
        count = _file_sides(pairs, drawers)
        parent = array("I", np.arange(count, dtype=np.uint32).tobytes())
        for drawer in drawers:
            for number, first in _same_sides(drawer):
                a, b = _root(parent, number), _root(parent, first)
                parent[max(a, b)] = min(a, b)
    roots = np.frombuffer(parent, np.uint32)
    while not np.array_equal(above := roots[roots], roots):
        roots = above
    return roots


def _file_sides(pairs: Iterable[Pair], drawers: Sequence[IO[bytes]]) -> int:
    """Put every side, as key and pair's number, into the drawer that its key names."""
    rest, count = iter(pairs), 0
    while chunk := list(islice(rest, CHUNK)):
        keys = b"".join(key for pair in chunk for key in side_keys(pair))
        sides = np.empty(2 * len(chunk), SIDE)
        sides["key"] = np.frombuffer(keys, np.uint64)
        sides["pair"] = np.repeat(np.arange(count, count + len(chunk)), 2)
        chosen = sides["key"] % len(drawers)
        for i, drawer in enumerate(drawers):
            drawer.write(sides[chosen == i].tobytes())
        count += len(chunk)
    return count


def _same_sides(drawer: IO[bytes]) -> Iterator[tuple[int, int]]:
    """Numbers of two pairs that share a side: every pair after the first with it, and the first."""
    drawer.seek(0)
    sides = np.frombuffer(drawer.read(), SIDE)
    order = np.argsort(sides["key"], kind="stable")
    keys, numbers = sides["key"][order], sides["pair"][order]
    begins = np.ones(len(keys), np.bool_)
    begins[1:] = keys[1:] != keys[:-1]
    firsts = numbers[begins][np.cumsum(begins) - 1]
    return zip(numbers[~begins].tolist(), firsts[~begins].tolist(), strict=True)


def _root(parent: "array[int]", number: int) -> int:
    while parent[number] != number:
        parent[number] = parent[parent[number]]
        number = parent[number]
    return number


class _Words(dict[int, str]):
    """For `str.translate`: a space for what is no letter, mark or digit; looked up once each."""

    def __missing__(self, code: int) -> str:
        letter = chr(code)
        self[code] = letter if unicodedata.category(letter)[0] in "LMN" else " "
        return self[code]


_WORDS = _Words()


def side_keys(pair: Pair) -> Iterator[bytes]:
    """Eight bytes for each side; source and target never meet, though their texts may be equal."""
    for side, text in zip((b"s", b"t"), pair, strict=True):
        yield blake2b(comparable(text).encode(), digest_size=8, person=side).digest()


def comparable(text: str) -> str:
    """A text as sides are compared: NFKC, case-folded, letters, digits and marks only.

    What has none of these (`?!`) is compared as it stands.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(folded.translate(_WORDS).split()) or text.strip()
