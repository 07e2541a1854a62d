"""Splitting: cut validation and test off a corpus without leaking a sentence into training.

Pairs that share either side, compared without case and punctuation, stay together: they are the
connected components of a graph whose nodes are pairs and whose edges are shared sides.
"""

import random
import unicodedata
from array import array
from collections.abc import Iterable, Iterator
from hashlib import blake2b

from pydantic import Field

from mt.config import Strict
from mt.errors import CorpusError
from training.corpora.pair import Pair

TRAIN, VALIDATION, TEST = "train", "validation", "test"
SPLITS = (TRAIN, VALIDATION, TEST)


class SplitConfig(Strict):
    """How many pairs to cut off for validation and test."""

    validation: int = Field(1000, ge=1, description="pairs, at most")
    test: int = Field(1000, ge=0, description="pairs, at most")
    seed: int = 1


def assign_splits(pairs: Iterable[Pair], config: SplitConfig) -> bytes:
    """Index into `SPLITS` of each pair, in order; one pass over the pairs, hashes kept, no text.

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
    sizes: dict[int, int] = {}
    for root in roots:
        sizes[root] = sizes.get(root, 0) + 1
    chosen = _choose(sizes, config)
    assignment = bytes(chosen[root] for root in roots)
    for index, asked in ((1, config.validation), (2, config.test)):
        if asked and index not in assignment:
            raise CorpusError(
                f"no pairs can be cut off for {SPLITS[index]}: pairs that share a side form groups "
                "too large for split.validation and split.test; change these, or name files"
            )
    return assignment


def _choose(sizes: dict[int, int], config: SplitConfig) -> dict[int, int]:
    """Split of each component, given their sizes."""
    asked = {1: config.validation, 2: config.test}
    room = dict(asked)
    order = sorted(sizes)
    random.Random(config.seed).shuffle(order)  # noqa: S311 - a split is no secret
    chosen = {}
    for root in order:
        fitting = [split for split in room if sizes[root] <= room[split]]
        chosen[root] = max(fitting, key=lambda split: room[split] / asked[split], default=0)
        if fitting:
            room[chosen[root]] -= sizes[root]
    return chosen


def _components(pairs: Iterable[Pair]) -> "array[int]":
    """For each pair the smallest number of a pair connected with it (union-find, path halving)."""
    parent = array("q")
    first_with: dict[bytes, int] = {}
    for number, pair in enumerate(pairs):
        parent.append(number)
        for key in side_keys(pair):
            a, b = _root(parent, first_with.setdefault(key, number)), _root(parent, number)
            parent[max(a, b)] = min(a, b)
    return array("q", (_root(parent, number) for number in range(len(parent))))


def _root(parent: "array[int]", number: int) -> int:
    while parent[number] != number:
        parent[number] = parent[parent[number]]
        number = parent[number]
    return number


def side_keys(pair: Pair) -> Iterator[bytes]:
    """Eight bytes for each side; source and target never meet, though their texts may be equal."""
    for side, text in zip((b"s", b"t"), pair, strict=True):
        yield blake2b(comparable(text).encode(), digest_size=8, person=side).digest()


def comparable(text: str) -> str:
    """A text as sides are compared: NFKC, case-folded, letters, digits and marks only.

    What has none of these (`?!`) is compared as it stands.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    words = "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in folded).split()
    return " ".join(words) or text.strip()
