"""Long sentences out of short ones: several joined by a space, sources and targets alike.

Bahdanau et al. 2015, figure 2, shows BLEU over length up to 60 words. A corpus of captions has
hardly a sentence above 20; joined ones have. Trained without such sentences, a model meets
positions it never saw, so systems are compared both ways.
"""

import json
import random
from collections.abc import Sequence
from pathlib import Path

from training.corpora.pair import Pair
from training.durable_files import write_file


def joined_test(pairs: Sequence[Pair], count: int) -> list[Pair]:
    """Neighbours made one, `count` at a time; those left over at the end are left out."""
    ends = range(count, len(pairs) + 1, count)
    return [_join(pairs[end - count : end]) for end in ends]


def joined_training(pairs: Sequence[Pair], longest: int, seed: int = 1) -> list[Pair]:
    """As many joined pairs as there are pairs, of two to `longest` random ones in turn."""
    draw = random.Random(seed)  # nosec B311 # no secret
    return [
        _join(draw.sample(pairs, min(2 + number % (longest - 1), len(pairs))))
        for number in range(len(pairs))
    ]


def write_pairs(path: Path, pairs: Sequence[Pair]) -> None:
    """JSON lines that `corpus.extra_train` reads.

    Raises:
        CheckpointError: the disk refuses.
    """
    lines = (
        json.dumps({"source": pair.src, "target": pair.tgt}, ensure_ascii=False) for pair in pairs
    )
    write_file(path, "".join(f"{line}\n" for line in lines).encode())


def _join(pairs: Sequence[Pair]) -> Pair:
    return Pair(" ".join(pair.src for pair in pairs), " ".join(pair.tgt for pair in pairs))
