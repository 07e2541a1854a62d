"""What is in a corpus: pairs and words of each split, and what cleaning takes from training."""

from dataclasses import dataclass

from training.corpora.corpus import Corpus
from training.corpora.pair import Pair


@dataclass
class Figures:
    """Counts of one set of pairs; words are what white space separates."""

    name: str
    pairs: int = 0
    source_words: int = 0
    target_words: int = 0
    longest: int = 0  # words, on either side

    def add(self, pair: Pair) -> None:
        """Count one pair."""
        src, tgt = len(pair.src.split()), len(pair.tgt.split())
        self.pairs += 1
        self.source_words += src
        self.target_words += tgt
        self.longest = max(self.longest, src, tgt)


def describe(corpus: Corpus) -> list[Figures]:
    """Figures of every split as published and, first, of training after cleaning.

    `corpus.report` is filled afterwards.

    Raises:
        CorpusError: a split cannot be had or read.
    """
    rows = [Figures("train, cleaned"), *(Figures(split) for split in corpus.splits)]
    for pair in corpus.train_pairs():
        rows[0].add(pair)
    for row in rows[1:]:
        for pair in corpus.pairs(row.name):
            row.add(pair)
    return rows


def describe_lines(corpus: Corpus) -> list[str]:
    """The description of a corpus for people: a table, the cleaning report, the licence.

    Raises:
        CorpusError: a split cannot be had or read.
    """
    source, target = corpus.source, corpus.target
    lines = [f"{'':<16}{'pairs':>12}{source + ' words':>14}{target + ' words':>14}{'longest':>9}"]
    for row in describe(corpus):
        numbers = f"{row.pairs:>12,}{row.source_words:>14,}{row.target_words:>14,}{row.longest:>9}"
        lines.append(f"{row.name:<16}{numbers}")
    if corpus.report is not None:
        lines += ["", "cleaning of train:", *(f"  {line}" for line in corpus.report.lines())]
    return [f"{corpus.name} {source}-{target}", "", *lines, "", f"licence: {corpus.licence}"]
