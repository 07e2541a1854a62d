"""Which subwords translate which: IBM Model 1 by expectation maximisation.

Brown et al. 1993, "The mathematics of statistical machine translation", section 4.1; the source's
end-of-sentence id stands for the empty word, from which come targets that nothing was the source
of.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
SentencePair = tuple[Sequence[int], Sequence[int]]  # source and target ids, each with eos
ROUNDS = 5  # more fit the text at hand, not the next


class Lexicon(NamedTuple):
    """Probabilities t(target | source) of all pairs of ids that met, arrays (pairs,).

    Ordered by source, then by target.
    """

    source: Ids
    target: Ids
    probability: Floats

    def best(self, most: int, least: float) -> tuple[Ids, Ids]:
        """The most probable targets of each source id, ascending by source, then by target.

        No more than `most` of one source, none below the probability `least`.
        """
        order = np.lexsort((self.target, -self.probability, self.source))
        source = self.source[order]
        rank = np.arange(len(order)) - source.searchsorted(source)
        kept = np.sort(order[(rank < most) & (self.probability[order] >= least)])
        return self.source[kept], self.target[kept]


def learn_lexicon(pairs: Sequence[SentencePair], vocab_size: int, rounds: int = ROUNDS) -> Lexicon:
    """Fit the model to sentence pairs; every source starts with all targets it met alike."""
    code, token = _links(pairs, vocab_size)
    codes, link = np.unique(code, return_inverse=True)
    source, target = np.divmod(codes, vocab_size)
    probability = np.ones(len(codes))
    for _ in range(rounds):
        weight = probability[link]
        weight /= np.bincount(token, weight)[token]  # equation 17: of which source each target is
        counts = np.bincount(link, weight, len(codes))
        probability = counts / np.bincount(source, counts, vocab_size)[source]
    return Lexicon(source, target, probability)


def _links(pairs: Sequence[SentencePair], vocab_size: int) -> tuple[Ids, Ids]:
    """All links of all pairs (links,): source and target id as one number; the target's token."""
    codes, tokens, seen = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], 0
    for src, tgt in pairs:
        sources, targets = np.asarray(src, np.int64), np.asarray(tgt, np.int64)
        codes.append((sources[:, None] * vocab_size + targets).ravel())
        tokens.append(np.tile(np.arange(seen, seen + len(tgt)), len(src)))
        seen += len(tgt)
    return np.concatenate(codes), np.concatenate(tokens)
