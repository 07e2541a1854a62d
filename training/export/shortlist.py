"""Make a vocabulary shortlist from the training text."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple

import numpy as np
from pydantic import Field

from mt.config import Strict
from mt.shortlist import Shortlist
from mt.tokenizer import EOS_ID, Tokenizer
from training.corpora.pair import Pair
from training.export.lexicon import ROUNDS, SentencePair, learn_lexicon

MOST_PAIRS = 50_000
MOST_LINKS = 8_000_000  # of source with target ids, about 50 bytes each while they are learnt
METHOD = "IBM Model 1 of subwords"


class ShortlistPlan(Strict):
    """How long the lists of a shortlist are."""

    best: int = Field(50, ge=1, description="most translations of one source piece")
    frequent: int = Field(200, ge=1, description="frequent target pieces, listed for everybody")
    least: float = Field(
        1e-3, ge=0, le=1, description="probability of a translation below which it is not listed"
    )


def sample(pairs: Iterable[Pair], count: int, tokenizer: Tokenizer) -> list[SentencePair]:
    """Ids of some of `count` pairs, evenly spread, each with eos: as many as may be aligned."""
    stride = -(-count // MOST_PAIRS) or 1
    chosen = _encoded(islice(pairs, 0, None, stride), tokenizer)
    kept, links = list[SentencePair](), 0
    for src, tgt in chosen:
        links += len(src) * len(tgt)
        if links > MOST_LINKS:
            break
        kept.append((src, tgt))
    return kept


def learn_shortlist(
    pairs: Sequence[SentencePair], vocab_size: int, plan: ShortlistPlan
) -> "LearntShortlist":
    """Lists of all source ids, learnt from sentence pairs."""
    source, target = learn_lexicon(pairs, vocab_size).best(plan.best, plan.least)
    counts = Counter(chain.from_iterable(tgt for _, tgt in pairs))
    frequent = {EOS_ID, *(one for one, _ in counts.most_common(plan.frequent))}
    offsets = source.searchsorted(np.arange(vocab_size + 1))
    origin = {"method": METHOD, "rounds": ROUNDS, "pairs": len(pairs), **plan.model_dump()}
    return LearntShortlist(Shortlist(np.array(sorted(frequent)), offsets, target), origin)


class LearntShortlist(NamedTuple):
    """A shortlist, and for the manifest how it was made."""

    shortlist: Shortlist
    origin: dict[str, Any]


def _encoded(pairs: Iterable[Pair], tokenizer: Tokenizer) -> Iterator[SentencePair]:
    for pair in pairs:
        yield tokenizer.encode_source(pair.src), [*tokenizer.encode(pair.tgt), EOS_ID]
