"""What a translation is made of. Spans count characters (code points), end exclusive."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mt.tokenizer import Span
from serving.text.alignment import WordAttention, WordPair


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
class Piece:
    """What is translated by itself: a sentence or, of markup, a block with its tags.

    before, after: what stays around it; candidates: its own, best first; sentences: with targets in
    its best text; warnings: about it, in words. One without words of its own has an empty text.
    """

    before: str
    candidates: tuple[Candidate, ...]
    after: str
    sentences: tuple[TranslatedSentence, ...] = ()
    source_tokens: int = 0
    output_tokens: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The best translation."""
        return self.candidates[0].text


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


def join(pieces: Sequence[Piece]) -> Translation:
    """The translation of a text from all its pieces, in their order."""
    candidates = _candidates(pieces)
    return Translation(
        text=candidates[0].text,
        candidates=candidates,
        sentences=_sentences(pieces),
        source_tokens=sum(piece.source_tokens for piece in pieces),
        output_tokens=sum(piece.output_tokens for piece in pieces),
        warnings=tuple(warning for piece in pieces for warning in piece.warnings),
    )


def _candidates(pieces: Sequence[Piece]) -> tuple[Candidate, ...]:
    most = max((len(piece.candidates) for piece in pieces), default=1)
    candidates = []
    for i in range(most):
        chosen = [piece.candidates[min(i, len(piece.candidates) - 1)] for piece in pieces]
        text = "".join(
            piece.before + one.text + piece.after for piece, one in zip(pieces, chosen, strict=True)
        )
        candidates.append(Candidate(text, sum((one.score for one in chosen), 0.0)))
    return tuple(candidates)


def _sentences(pieces: Sequence[Piece]) -> tuple[TranslatedSentence, ...]:
    sentences, at = [], 0
    for piece in pieces:
        at += len(piece.before)
        sentences += [replace(one, target=_shifted(one.target, at)) for one in piece.sentences]
        at += len(piece.text) + len(piece.after)
    return tuple(sentences)


def _shifted(span: Span, by: int) -> Span:
    return span[0] + by, span[1] + by
