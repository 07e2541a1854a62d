"""Terms in the running search: phrases that a translation must hold, or is drawn towards.

**Required** (no bias): lexically constrained beam search, Post and Vilar 2018, section 3, all rows
at once as in Hu et al. 2019, section 3. Candidates of a row are its best ids and those that bring a
missing term on; a row may not end before it holds all; and the places of the beam are shared out
among *banks*, the numbers of term ids that candidates hold (see `mt.selection.allot`), so that a
hypothesis with a term it paid for is not pushed out by one that has yet to pay.

**Preferred** (a bias): the logits of the ids that bring a missing term on are raised. With the
log-probabilities of just those ids the softmax over the whole vocabulary can be had again, so what
is searched is a proper model: log-probabilities and scores are that model's.
"""

from collections.abc import Sequence

import numpy as np

from mt.constraints import Floats
from mt.live_rows import LiveRows
from mt.phrases import Mask, Phrases, Progress
from mt.search_options import SearchOptions
from mt.selection import Chosen, Sums, allot
from mt.stepper import Ids, StepOutput
from mt.tokenizer import EOS_ID, PAD_ID


class Terms:
    """The terms of all running sentences. Rows of sentences without any pass through unchanged."""

    def __init__(self, options: Sequence[SearchOptions], continuing: Mask) -> None:
        """`options` are those of the running sentences; continuing (vocab,): see `Phrases`."""
        self._any = any(one.terms for one in options)
        if self._any:
            self._phrases = Phrases([one.terms for one in options], continuing)
            biases = [one.term_bias for one in options]
            self._bias = np.array([0.0 if bias is None else bias for bias in biases])
            self._required = np.array([bias is None for bias in biases]) & (self._phrases.ids > 0)

    def wanted(self, rows: LiveRows) -> Ids | None:
        """The ids that bring each row's missing terms on (rows, n), filled with pad."""
        if not self._any:
            return None
        return self._phrases.wanted(rows.sentence, Progress(rows.matched, rows.met))

    def candidates(
        self, rows: LiveRows, wanted: Ids | None, output: StepOutput, own: Ids
    ) -> tuple[Ids, Floats]:
        """The candidates of each row (rows, n + k): what it wants, then its best of the others.

        own (rows,): how many of the best a row asked for. Where terms are required, those that only
        its neighbours asked for do not take part.
        """
        if wanted is None or output.wanted is None:
            return output.ids, output.log_probs
        ids = np.concatenate([wanted, output.ids], axis=1)
        log_probs = np.concatenate([output.wanted, output.log_probs], axis=1, dtype=np.float64)
        log_probs[:, : wanted.shape[1]][wanted == PAD_ID] = -np.inf
        best = log_probs[:, wanted.shape[1] :]
        best[(output.ids[:, :, None] == wanted[:, None, :]).any(axis=2)] = -np.inf
        required = self._required[rows.sentence][:, None]
        best[required & (np.arange(best.shape[1]) >= own[:, None])] = -np.inf
        lacks = self._phrases.missing(rows.sentence, Progress(rows.matched, rows.met))[:, None] > 0
        best[required & lacks & (output.ids == EOS_ID)] = -np.inf
        return ids, self._raised(rows, log_probs, wanted.shape[1])

    def _raised(self, rows: LiveRows, log_probs: Sums, n: int) -> Sums:
        """Log-probabilities with the logits of the first n candidates raised, normalised again.

        The sum that the softmax divides by grows by what they gain: 1 becomes
        1 + sum p (e^bias - 1). Added up in order, whatever number of pads a neighbour causes.
        """
        bias = self._bias[rows.sentence][:, None]
        gained = np.expm1(bias) * np.exp(log_probs[:, :n]).cumsum(axis=1)[:, -1:]
        raised: Sums = log_probs - np.log1p(gained)
        raised[:, :n] += bias
        return raised

    def allot(self, rows: LiveRows, width: Ids, ids: Ids, log_probs: Sums) -> Sums:
        """Log-probabilities, -inf for candidates of required terms that get no place.

        width (rows,): how many survive of a row's sentence.
        """
        if not self._any:
            return log_probs
        here = self._required[rows.sentence].nonzero()[0]
        sentence, width = rows.sentence[here], width[here]
        before = Progress(rows.matched[here, None], rows.met[here, None])
        after = self._phrases.read(sentence[:, None], before, ids[here])
        bank = self._phrases.reached(sentence[:, None], after)
        totals = rows.log_prob[here, None] + log_probs[here]
        share = width // (self._phrases.ids[sentence] + 1)
        kept = log_probs.copy()
        kept[here] = np.where(allot(sentence, width, share, bank, totals), log_probs[here], -np.inf)
        return kept

    def read(self, rows: LiveRows, chosen: Chosen) -> Progress:
        """How far the survivors are (survivors,)."""
        if not self._any:
            return Progress(*np.zeros((2, len(chosen.row)), np.int64))
        before = Progress(rows.matched[chosen.row], rows.met[chosen.row])
        return self._phrases.read(chosen.sentence, before, chosen.ids)

    def missing(self, sentence: Ids, progress: Progress) -> Ids:
        """How many ids of required terms hypotheses do not hold."""
        if not self._any:
            return np.zeros(len(sentence), np.int64)
        missing: Ids = self._phrases.missing(sentence, progress) * self._required[sentence]
        return missing
