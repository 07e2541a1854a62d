"""What a translation is made of. Spans count characters (code points), end exclusive."""

from dataclasses import dataclass

from mt.tokenizer import Span
from serving.alignment import WordAttention, WordPair


@dataclass(frozen=True)
class Candidate:
    """One translation of a whole text; score: the sum of its sentences' scores."""

    text: str
    score: float


@dataclass(frozen=True)
class SentenceHypothesis:
    """One translation of a sentence.

    score and log_prob as in `mt.beam_search.Hypothesis`; pieces: the subwords, without eos;
    token_log_probs: one a piece, and one for eos where `finished`; words: attention between words,
    where asked for or needed, with spans within this sentence and this text.
    """

    text: str
    score: float
    log_prob: float
    pieces: tuple[str, ...]
    token_log_probs: tuple[float, ...]
    finished: bool
    words: WordAttention | None = None

    @property
    def alignment(self) -> tuple[WordPair, ...]:
        """Word pairs, spans within this sentence and this text; none without attention."""
        return () if self.words is None else self.words.pairs()


@dataclass(frozen=True)
class TranslatedSentence:
    """A sentence (or a part of one that was too long): where it stands, its hypotheses, best first.

    source: in the text as given; target: in the text's best translation. `translated` is False
    where it was passed through as it is, having nothing that the model knows.
    """

    source: Span
    target: Span
    hypotheses: tuple[SentenceHypothesis, ...]
    translated: bool

    @property
    def alignment(self) -> tuple[WordPair, ...]:
        """Of the best hypothesis, with spans in the whole text and its translation."""
        return tuple(
            WordPair(_shifted(pair.source, self.source[0]), _shifted(pair.target, self.target[0]))
            for pair in self.hypotheses[0].alignment
        )


@dataclass(frozen=True)
class Translation:
    """The answer for one text; its layout is the text's own.

    candidates: as many as n_best where the search found them, the first being `text`; the i-th
    joins the i-th hypothesis of every sentence (its last where it has fewer). warnings: what is
    doubtful about `text`, in words; they never repeat it.
    """

    text: str
    candidates: tuple[Candidate, ...]
    sentences: tuple[TranslatedSentence, ...]
    source_tokens: int
    output_tokens: int
    warnings: tuple[str, ...] = ()

    @property
    def alignment(self) -> tuple[WordPair, ...]:
        """Word pairs of all sentences, with spans in the text and in `text`."""
        return tuple(pair for sentence in self.sentences for pair in sentence.alignment)


def _shifted(span: Span, by: int) -> Span:
    return span[0] + by, span[1] + by
