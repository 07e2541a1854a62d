"""Who runs, and what of it holds until somebody comes or leaves: looked up once, not every step."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mt.phrases import Mask
from mt.running_sentence import RECORD, RunningSentence
from mt.selection import Contest
from mt.stepper import Ids
from mt.terms import Terms


class Roster:
    """The running sentences; it stays until one joins or leaves.

    records (sentences,): a RECORD of each; `to_beat` in it changes as hypotheses end, the rest does
    not; forced_until, early_until: the step from which on nobody has a forced prefix, or is too
    short to end; first_limit: the step at which somebody first has the longest length; repeats,
    drawn, needs_attention: whether that holds of anybody; has_ended: whether a hypothesis is to be
    beaten.
    """

    def __init__(
        self,
        running: Sequence[RunningSentence],
        records: npt.NDArray[np.void],
        continuing: Mask,
    ) -> None:
        """Continuing (vocab,): see `mt.phrases.Phrases`."""
        self.running, self.records = list(running), records
        self.terms = Terms([one.job.options for one in running], continuing)
        born = records["born"]
        self.forced_until = int((born + records["prefix_length"]).max(initial=0))
        self.early_until = int((born + records["min_length"]).max(initial=0)) - 1
        self.first_limit = int(records["last_step"].min(initial=np.iinfo(np.int64).max))
        self.repeats = bool(records["no_repeat_ngram"].any())
        self.drawn = bool(records["drawn"].any())
        self.needs_attention = bool(records["needs_attention"].any())
        self.has_ended = bool((records["to_beat"] > -np.inf).any())

    def __len__(self) -> int:
        return len(self.running)

    def beat(self, sentence: int, score: float) -> None:
        """From now on a sentence's hypotheses must be better than this."""
        self.records["to_beat"][sentence] = score
        self.has_ended |= score > -np.inf

    def norms_ahead(self, steps: int) -> npt.NDArray[np.float64]:
        """`RunningSentence.norm_ahead` of each sentence's rows (sentences,) after so many steps.

        1 for sentences that have nothing to beat.
        """
        norms = np.ones(len(self))
        for i in (self.records["to_beat"] > -np.inf).nonzero()[0].tolist():
            length = steps - self.records["born"][i].item()
            norms[i] = self.running[i].norm_ahead(length)
        return norms


NOBODY = Roster([], np.empty(0, RECORD), np.zeros(0, np.bool_))


class Lineup:
    """Whose row each row is; it stays as long as no sentence gets or loses one.

    sentence (rows,): its place among the running ones, ascending; slots (rows,): the stepper's name
    of its sentence; facts (rows,): the record of its sentence; candidates (rows,): how many ids the
    row must be offered where none is banned; contest: who competes with whom.
    """

    def __init__(self, sentence: Ids, roster: Roster) -> None:
        """The rows' sentences, and who runs."""
        self.sentence = sentence
        self.facts = roster.records[sentence]
        self.slots: Ids = np.ascontiguousarray(self.facts["slot"])
        self.contest = Contest(sentence, np.ascontiguousarray(self.facts["width"]))
        self.candidates: Ids = np.ascontiguousarray(self.facts["candidates"])
