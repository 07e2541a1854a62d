"""One text taken apart for the model, and put together again from what the search found."""

from collections.abc import Sequence
from dataclasses import dataclass

from mt.beam_search import Hypothesis
from mt.bundle import Manifest
from mt.tokenizer import SPECIAL_IDS, Span, Tokenizer
from serving.alignment import align
from serving.long_sentences import cut
from serving.segmenter import Segment, gaps, segment
from serving.text_checks import has_words, is_more_than_punctuation
from serving.translation import Candidate, SentenceHypothesis, TranslatedSentence, Translation


@dataclass(frozen=True)
class Part:
    """A sentence, or a part of one that is too long. Without `src_ids` it is passed through."""

    segment: Segment
    src_ids: list[int] | None


@dataclass(frozen=True)
class TextPlan:
    """A text as the parts its translation is made of, in their order."""

    text: str
    parts: tuple[Part, ...]

    @property
    def sources(self) -> list[list[int]]:
        """Ids, each with eos, of the parts to translate."""
        return [part.src_ids for part in self.parts if part.src_ids is not None]


def plan(text: str, tokenizer: Tokenizer, manifest: Manifest) -> TextPlan:
    """Split a text into sentences, and those that the model would not accept into parts."""
    parts = [
        Part(piece, _encode(piece.sentence, tokenizer, manifest.max_source_tokens))
        for sentence in segment(text, manifest.source_language)
        for piece in _fitting(sentence, tokenizer, manifest.max_source_tokens)
    ]
    return TextPlan(text, tuple(parts))


def is_foreign(text_plan: TextPlan) -> bool:
    """Whether a text has something to say, and the model knows not one character of it."""
    return not text_plan.sources and is_more_than_punctuation(text_plan.text)


def compose(
    text_plan: TextPlan, answers: Sequence[list[Hypothesis]], tokenizer: Tokenizer, language: str
) -> Translation:
    """The translation of a text from the hypotheses of its `sources`, in their order."""
    remaining = iter(answers)
    found = [
        _hypotheses(part, next(remaining), tokenizer) if part.src_ids else _passed_through(part)
        for part in text_plan.parts
    ]
    spaces = gaps([part.segment for part in text_plan.parts], language)
    best = [hypotheses[0].text for hypotheses in found]
    return Translation(
        text="".join(text + gap for text, gap in zip(best, spaces, strict=True)),
        candidates=_candidates(found, spaces),
        sentences=_sentences(text_plan, found, spaces),
        source_tokens=sum(len(source) - 1 for source in text_plan.sources),
        output_tokens=sum(len(hypotheses[0].ids) for hypotheses in answers),
    )


def _fitting(sentence: Segment, tokenizer: Tokenizer, max_tokens: int) -> list[Segment]:
    return cut(sentence, tokenizer, max_tokens) if has_words(sentence.sentence) else [sentence]


def _encode(sentence: str, tokenizer: Tokenizer, max_tokens: int) -> list[int] | None:
    """Ids with eos; None for what the model cannot translate, or need not."""
    if not has_words(sentence):
        return None
    ids = tokenizer.encode_source(sentence)
    readable = len(ids) <= max_tokens and any(map(tokenizer.is_learnt, ids))
    return ids if readable else None


def _passed_through(part: Part) -> tuple[SentenceHypothesis, ...]:
    return (SentenceHypothesis(part.segment.sentence, 0.0, 0.0, (), (), finished=True),)


def _hypotheses(
    part: Part, found: Sequence[Hypothesis], tokenizer: Tokenizer
) -> tuple[SentenceHypothesis, ...]:
    source = part.segment.sentence
    aligned = any(hypothesis.attention is not None for hypothesis in found)
    source_spans = tokenizer.encode_with_spans(source)[1] if aligned else []
    return tuple(_hypothesis(source, source_spans, one, tokenizer) for one in found)


def _hypothesis(
    source: str, source_spans: Sequence[Span], found: Hypothesis, tokenizer: Tokenizer
) -> SentenceHypothesis:
    spelt = [at for at, piece_id in enumerate(found.ids) if piece_id not in SPECIAL_IDS]
    text, spans = tokenizer.decode_with_spans([found.ids[at] for at in spelt])
    attention = None if found.attention is None else found.attention[spelt]
    return SentenceHypothesis(
        text=text,
        score=found.score,
        log_prob=found.log_prob,
        pieces=tuple(tokenizer.pieces(found.ids)),
        token_log_probs=tuple(found.token_log_probs),
        finished=found.finished,
        alignment=() if attention is None else align(source, source_spans, text, spans, attention),
    )


def _candidates(
    found: Sequence[tuple[SentenceHypothesis, ...]], spaces: Sequence[str]
) -> tuple[Candidate, ...]:
    most = max((len(hypotheses) for hypotheses in found), default=1)
    candidates = []
    for i in range(most):
        chosen = [hypotheses[min(i, len(hypotheses) - 1)] for hypotheses in found]
        text = "".join(one.text + gap for one, gap in zip(chosen, spaces, strict=True))
        candidates.append(Candidate(text, sum((one.score for one in chosen), 0.0)))
    return tuple(candidates)


def _sentences(
    text_plan: TextPlan, found: Sequence[tuple[SentenceHypothesis, ...]], spaces: Sequence[str]
) -> tuple[TranslatedSentence, ...]:
    sentences, at = [], 0
    for part, hypotheses, gap in zip(text_plan.parts, found, spaces, strict=True):
        end = at + len(hypotheses[0].text)
        source = (part.segment.start, part.segment.end)
        if part.segment.sentence:
            translated = part.src_ids is not None
            sentences.append(TranslatedSentence(source, (at, end), hypotheses, translated))
        at = end + len(gap)
    return tuple(sentences)
