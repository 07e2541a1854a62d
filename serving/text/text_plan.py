"""One text taken apart for the model: sentences, what is protected in them, what is passed on."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from mt.bundle import Manifest
from mt.tokenizer import Span, Tokenizer
from serving.text.glossary_terms import NO_TERMS, Terms, has_spaces, lexicon, terms_of
from serving.text.long_sentences import cut
from serving.text.protected_spans import ProtectedSpan, find
from serving.text.segmenter import Segment
from serving.text.sentences import sentences
from serving.text.stand_ins import Reading, original_offset, read
from serving.text.text_checks import has_letters
from serving.text.text_options import PLAIN, TextOptions


@dataclass(frozen=True)
class Part:
    """A sentence, or a part of one that is too long. Without `src_ids` it is passed through.

    reading: the sentence as the model reads it; foreign: it has letters, all unknown to the model;
    aligned: the answer needs word alignment; unended: it must not end with a full stop; terms: what
    a glossary asks of its translation.
    """

    segment: Segment
    reading: Reading
    src_ids: list[int] | None
    foreign: bool = False
    aligned: bool = False
    unended: bool = False
    terms: Terms = NO_TERMS


@dataclass(frozen=True)
class TextPlan:
    """A text as the parts its translation is made of, in their order."""

    text: str
    parts: tuple[Part, ...]

    @property
    def translated(self) -> list[Part]:
        """The parts that the model reads."""
        return [part for part in self.parts if part.src_ids is not None]


class Planner:
    """Plans texts for one model."""

    def __init__(self, tokenizer: Tokenizer, manifest: Manifest) -> None:
        self._tokenizer = tokenizer
        self._language = manifest.source_language
        self._target = manifest.target_language
        self._max_tokens = manifest.max_source_tokens

    def plan(
        self,
        text: str,
        options: TextOptions = PLAIN,
        given: Sequence[ProtectedSpan] = (),
        aligned: bool = False,
    ) -> TextPlan:
        """Split a text into sentences, and those that the model would not accept into parts.

        `given`: spans to keep as they are, beside those that are found; `aligned`: whether the
        answer needs word alignment.
        """
        spans = find(text, options.do_not_translate, given)
        parts: list[Part] = []
        first = 0
        for sentence in sentences(text, self._language, options.splitting, spans):
            last = first
            while last < len(spans) and spans[last].start < sentence.end:
                last += 1
            own = [_moved(span, -sentence.start) for span in spans[first:last]]
            found = self._parts(sentence, own)
            parts += [
                replace(
                    part,
                    aligned=aligned,
                    unended=_is_unended(part, part is found[-1], options),
                    terms=self._terms(part, options),
                )
                for part in found
            ]
            first = last
        return TextPlan(text, tuple(parts))

    def without_spans(self, part: Part) -> Part | None:
        """The part with a stand-in for every protected span; None where that changes nothing."""
        spans = [slot.protected for slot in part.reading.slots]
        reading = read(part.segment.sentence, spans, self._language)
        if reading == part.reading:
            return None
        other = self._part(part.segment, reading)
        other = replace(other, aligned=part.aligned, unended=part.unended, terms=part.terms)
        return other if other.src_ids else None

    def _terms(self, part: Part, options: TextOptions) -> Terms:
        """What the glossary asks of a part's translation; what is protected stays as it is."""
        if not options.terminology or part.src_ids is None:
            return NO_TERMS
        taken = [(slot.protected.start, slot.protected.end) for slot in part.reading.slots]
        entries = lexicon(options.terminology, self._language)
        spaced = has_spaces(self._target)
        found = terms_of(part.segment.sentence, taken, entries, self._tokenizer, spaced)
        return replace(found, bias=options.terminology_bias)

    def _parts(self, sentence: Segment, spans: Sequence[ProtectedSpan]) -> list[Part]:
        reading = read(sentence.sentence, spans, self._language, self._is_unwritable)
        part = self._part(sentence, reading)
        if part.src_ids or not has_letters(reading.own_words):
            return [part]
        reading = read(sentence.sentence, spans, self._language)
        pieces = cut(Segment(reading.text, sentence.gap, 0), self._tokenizer, self._max_tokens)
        bounds = [0, *(piece.start for piece in pieces[1:]), len(reading.text) + 1]
        return [
            self._part(*_piece(sentence, reading, piece, bound))
            for piece, bound in zip(pieces, pairwise(bounds), strict=True)
        ]

    def _part(self, segment: Segment, reading: Reading) -> Part:
        own = reading.own_words
        if not has_letters(own):
            return Part(segment, reading, None)
        ids = self._tokenizer.encode_source(reading.text)
        own_ids = self._tokenizer.encode(own) if reading.slots else ids
        known = any(map(self._tokenizer.is_learnt, own_ids))
        fits = len(ids) <= self._max_tokens
        return Part(segment, reading, ids if known and fits else None, foreign=not known)

    def _is_unwritable(self, text: str) -> bool:
        private = any(unicodedata.category(character) == "Co" for character in text)
        return private or self._tokenizer.decode(self._tokenizer.encode(text)) != text


def is_foreign(parts: Sequence[Part]) -> bool:
    """Whether a text has something to say, and the model knows not one character of it."""
    return any(part.foreign for part in parts) and all(part.src_ids is None for part in parts)


def _is_unended(part: Part, is_last: bool, options: TextOptions) -> bool:
    """Whether a full stop at its end would be the model's own."""
    written = part.segment.sentence
    if is_last:
        return options.preserve_formatting and written[-1:].isalnum()
    return not written.endswith(".")


def _moved(span: ProtectedSpan, by: int) -> ProtectedSpan:
    return replace(span, start=span.start + by, end=span.end + by)


def _piece(
    sentence: Segment, reading: Reading, piece: Segment, bound: Span
) -> tuple[Segment, Reading]:
    """A piece of a reading, from one bound to the next, and what it is of the sentence."""
    earlier = [slot for slot in reading.slots if slot.span[0] < bound[0]]
    slots = [slot for slot in reading.slots if bound[0] <= slot.span[0] < bound[1]]
    start = original_offset(piece.start, earlier) if piece.start else 0
    end = original_offset(piece.end, [*earlier, *slots])
    end = max([end, *(slot.original[1] for slot in slots[-1:])])
    limit = len(piece.sentence)
    own = tuple(
        replace(
            slot,
            span=(
                min(slot.span[0] - piece.start, limit),
                min(slot.span[1] - piece.start, limit),
            ),
            protected=_moved(slot.protected, -start),
        )
        for slot in slots
    )
    segment = Segment(sentence.sentence[start:end], piece.gap, sentence.start + start)
    return segment, Reading(piece.sentence, own)
