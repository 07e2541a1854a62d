"""A translation put together from what the search found: spans restored, spacing as it was."""

import re
from collections.abc import Iterable, Sequence

from mt.beam_search import Hypothesis
from mt.tokenizer import SPECIAL_IDS, Span, Tokenizer
from serving.alignment import WordAttention, word_attention
from serving.guards import MEANING, Decoded
from serving.protected_spans import locate
from serving.segmenter import gaps
from serving.slot_filling import fill
from serving.text_plan import Part, TextPlan
from serving.translation import Candidate, SentenceHypothesis, TranslatedSentence, Translation

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffd]")


def compose(
    text_plan: TextPlan,
    decoded: Sequence[Decoded],
    tokenizer: Tokenizer,
    language: str,
) -> Translation:
    """The translation of a text from what was found for its translated parts, in their order."""
    remaining = iter(decoded)
    tries = [next(remaining) if part.src_ids else None for part in text_plan.parts]
    parts = [
        part if one is None else one.part for part, one in zip(text_plan.parts, tries, strict=True)
    ]
    found = [
        _passed_through(part) if one is None else _hypotheses(one, tokenizer)
        for part, one in zip(parts, tries, strict=True)
    ]
    spaces = gaps([part.segment for part in parts], language)
    best = [hypotheses[0].text for hypotheses in found]
    return Translation(
        text="".join(text + gap for text, gap in zip(best, spaces, strict=True)),
        candidates=_candidates(found, spaces),
        sentences=_sentences(parts, found, spaces),
        source_tokens=sum(len(one.part.src_ids or [0]) - 1 for one in decoded),
        output_tokens=sum(len(one.hypotheses[0].ids) for one in decoded),
        warnings=tuple(_warnings(parts, tries, best)),
    )


def written(ids: Sequence[int], tokenizer: Tokenizer) -> tuple[str, list[Span]]:
    """Text of ids without special ones, and the characters of each; no control characters.

    A control character beyond ASCII takes two bytes to spell, so that no single byte can be kept
    from a model that spells byte by byte; nor can bytes that spell nothing (U+FFFD).
    """
    text, spans = tokenizer.decode_with_spans(ids)
    if _CONTROL.search(text) is None:
        return text, spans
    offsets, length = [], 0
    for character in text:
        offsets.append(length)
        length += _CONTROL.match(character) is None
    offsets.append(length)
    return _CONTROL.sub("", text), [(offsets[start], offsets[end]) for start, end in spans]


def _passed_through(part: Part) -> tuple[SentenceHypothesis, ...]:
    sentence, words = part.segment.sentence, None
    if part.aligned:
        spans = [slot.original for slot in part.reading.slots]
        words = WordAttention.of_copy(sentence).merged(spans, spans)
    return (SentenceHypothesis(sentence, 0.0, 0.0, (), (), finished=True, words=words),)


def _hypotheses(decoded: Decoded, tokenizer: Tokenizer) -> tuple[SentenceHypothesis, ...]:
    part = decoded.part
    aligned = any(hypothesis.attention is not None for hypothesis in decoded.hypotheses)
    source_spans = tokenizer.encode_with_spans(part.reading.text)[1] if aligned else []
    return tuple(_hypothesis(part, source_spans, one, tokenizer) for one in decoded.hypotheses)


def _hypothesis(
    part: Part, source_spans: Sequence[Span], found: Hypothesis, tokenizer: Tokenizer
) -> SentenceHypothesis:
    spelt = [at for at, piece_id in enumerate(found.ids) if piece_id not in SPECIAL_IDS]
    text, spans = written([found.ids[at] for at in spelt], tokenizer)
    if part.unended and text.endswith(".") and not text.endswith(".."):
        text = text[:-1]
        spans = [(min(start, len(text)), min(end, len(text))) for start, end in spans]
    words = None
    if part.aligned or part.reading.slots or found.attention is not None:
        attention = None if found.attention is None else found.attention[spelt]
        log_probs = [found.token_log_probs[at] for at in spelt]
        source = part.reading.text
        words = word_attention(source, source_spans, text, spans, attention, log_probs)
        kept = [slot.protected for slot in part.reading.slots if not slot.replaced]
        filled = fill(part.reading, words, text, locate(kept, part.segment.sentence, text))
        text, words = filled.text, filled.words
    return SentenceHypothesis(
        text=text,
        score=found.score,
        log_prob=found.log_prob,
        pieces=tuple(tokenizer.pieces(found.ids)),
        token_log_probs=tuple(found.token_log_probs),
        finished=found.finished,
        words=words,
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
    parts: Sequence[Part], found: Sequence[tuple[SentenceHypothesis, ...]], spaces: Sequence[str]
) -> tuple[TranslatedSentence, ...]:
    sentences, at = [], 0
    for part, hypotheses, gap in zip(parts, found, spaces, strict=True):
        end = at + len(hypotheses[0].text)
        source = (part.segment.start, part.segment.end)
        if part.segment.sentence:
            translated = part.src_ids is not None
            sentences.append(TranslatedSentence(source, (at, end), hypotheses, translated))
        at = end + len(gap)
    return tuple(sentences)


def _warnings(
    parts: Sequence[Part], tries: Sequence[Decoded | None], texts: Sequence[str]
) -> Iterable[str]:
    """What is still wrong after the second try, sentences counted from 1."""
    numbered = [one for one in zip(parts, tries, texts, strict=True) if one[0].segment.sentence]
    for number, (part, one, text) in enumerate(numbered, start=1):
        for doubt in one.doubts if one else ():
            if doubt in MEANING:
                yield f"sentence {number} {MEANING[doubt]}"
        spans = [slot.protected for slot in part.reading.slots]
        for span in locate(spans, part.segment.sentence, text).lost:
            yield f"sentence {number} has lost a {span.kind} that must be kept"
