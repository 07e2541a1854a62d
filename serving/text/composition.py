"""A translation put together from what the search found: spans restored, spacing as it was."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mt.beam_search import Hypothesis
from mt.tokenizer import SPECIAL_IDS, Span, Tokenizer
from serving.text.alignment import WordAttention, word_attention
from serving.text.glossary_terms import capitalised
from serving.text.guards import MEANING, Decoded, Doubt
from serving.text.protected_spans import locate
from serving.text.segmenter import gaps
from serving.text.slot_filling import fill
from serving.text.text_plan import Part, TextPlan
from serving.translation import (
    Candidate,
    Piece,
    SentenceHypothesis,
    TranslatedSentence,
    Translation,
    join,
)

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffd]")


@dataclass(frozen=True)
class PlannedSentence:
    """A part of a text, what stays around its translation, and its number in the text, from 1."""

    before: str
    part: Part
    after: str
    number: int

    @property
    def translated(self) -> list[Part]:
        """The part, where the model reads it."""
        return [] if self.part.src_ids is None else [self.part]


def planned_sentences(text_plan: TextPlan, language: str) -> list[PlannedSentence]:
    """The parts of a text, each with the space after it; space at its start goes to the first."""
    parts = text_plan.parts
    spaces = gaps([part.segment for part in parts], language)
    lead = len(parts) > 1 and not parts[0].segment.sentence
    before = spaces[0] if lead else ""
    numbered = enumerate(zip(parts[lead:], spaces[lead:], strict=True), start=1)
    return [
        PlannedSentence(before if number == 1 else "", part, after, number)
        for number, (part, after) in numbered
    ]


def compose(
    text_plan: TextPlan,
    decoded: Sequence[Decoded],
    tokenizer: Tokenizer,
    language: str,
) -> Translation:
    """The translation of a text from what was found for its translated parts, in their order."""
    remaining = iter(decoded)
    return join(
        [
            compose_sentence(one, next(remaining) if one.translated else None, tokenizer)
            for one in planned_sentences(text_plan, language)
        ]
    )


def compose_sentence(
    planned: PlannedSentence, decoded: Decoded | None, tokenizer: Tokenizer
) -> Piece:
    """One part's translation from what was found for it; None: the model did not read it."""
    part = decoded.part if decoded else planned.part
    found = _hypotheses(decoded, tokenizer) if decoded else _passed_through(part)
    best, source = found[0].text, (part.segment.start, part.segment.end)
    sentence = TranslatedSentence(source, (0, len(best)), found, translated=decoded is not None)
    doubts = decoded.doubts if decoded else ()
    return Piece(
        before=planned.before,
        candidates=tuple(Candidate(one.text, one.score) for one in found),
        after=planned.after,
        sentences=(sentence,) if part.segment.sentence else (),
        source_tokens=len(part.src_ids or [0]) - 1 if decoded else 0,
        output_tokens=len(decoded.hypotheses[0].ids) if decoded else 0,
        warnings=tuple(f"sentence {planned.number} {one}" for one in _wrongs(part, doubts, best)),
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
    text = capitalised(text, part.segment.sentence, part.terms)
    return SentenceHypothesis(
        text=text,
        score=found.score,
        log_prob=found.log_prob,
        pieces=tuple(tokenizer.pieces(found.ids)),
        token_log_probs=tuple(found.token_log_probs),
        finished=found.finished,
        words=words,
    )


def _wrongs(part: Part, doubts: Sequence[Doubt], text: str) -> Iterator[str]:
    """What is still wrong after the second try."""
    yield from (MEANING[doubt] for doubt in doubts if doubt in MEANING)
    spans = [slot.protected for slot in part.reading.slots if not slot.term_words]
    for span in locate(spans, part.segment.sentence, text).lost:
        yield f"has lost a {span.kind} that must be kept"
