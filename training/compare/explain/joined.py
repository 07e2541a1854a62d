"""Scores by the number of joined sentences: the replica of Bahdanau et al. 2015, Figure 2.

Sentences of a test set are joined to make longer ones of the same text, so that length alone
differs. A model that has never seen such lengths fails for that reason too: beside it stand runs
that were trained on joined sentences as well.
"""

from collections.abc import Mapping

from pydantic import Field

from mt.config import Strict
from training.compare.outcome import Comparison, Estimate, ViewName


class JoinedScore(Strict):
    """BLEU of a system where so many sentences were joined to one."""

    system: str
    data: str
    split: str
    joined: int
    mean_length: float = Field(description="words of a source")
    bleu: Estimate


def joined_scores(
    comparison: Comparison, view: ViewName, mean_lengths: Mapping[str, float]
) -> tuple[JoinedScore, ...]:
    """Rows of every split that was joined at all, by split, system, data and joined sentences.

    mean_lengths: words of a source, by test set.
    """
    test_sets = {test_set.name: test_set for test_set in comparison.test_sets}
    joined_splits = {one.split for one in comparison.test_sets if one.joined > 1}
    rows = [
        JoinedScore(
            system=summary.system,
            data=summary.data,
            split=test_sets[summary.test_set].split,
            joined=test_sets[summary.test_set].joined,
            mean_length=mean_lengths[summary.test_set],
            bleu=summary.mean,
        )
        for summary in comparison.summaries
        if (summary.metric, summary.view) == ("BLEU", view)
        and test_sets[summary.test_set].split in joined_splits
    ]
    return tuple(sorted(rows, key=lambda row: (row.split, row.system, row.data, row.joined)))
