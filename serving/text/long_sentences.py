"""Sentences longer than a model accepts are cut into parts, translated apart and joined again."""

import unicodedata
from collections.abc import Callable, Sequence

from mt.tokenizer import Span, Tokenizer
from serving.text.segmenter import Segment

_PAUSES = ",;:.!?…—–)]}\"'»”’،؛"  # before a space
_WIDE_PAUSES = "、，；：。！？）」』"  # no space needed
_MOST_PIECE_CHARS = 8  # on average; bounds how far ahead one look reaches


def cut(sentence: Segment, tokenizer: Tokenizer, max_tokens: int) -> list[Segment]:
    """Parts of a sentence that each have at most `max_tokens` tokens, eos included.

    Cut after punctuation if that leaves a part at least half full, otherwise at the last space,
    otherwise between two tokens. Nothing is lost: put end to end the parts are the sentence. Only
    a single character that has more tokens than allowed stays too long.
    """
    parts: list[Segment] = []
    rest = sentence
    while (at := _where(rest.sentence, tokenizer, max_tokens - 1)) is not None:
        head, rest = _split(rest, at)
        parts.append(head)
    return [*parts, rest]


def _where(text: str, tokenizer: Tokenizer, most: int) -> int | None:
    """How many characters the first part takes; None where the text fits whole."""
    window = text[: (most + 1) * _MOST_PIECE_CHARS]
    spans = tokenizer.encode_with_spans(window)[1]
    if len(text) == 1 or (len(window) == len(text) and len(spans) <= most):
        return None
    budget = most
    while True:
        at = _best_cut(window, spans[:budget])
        if at == 1 or len(tokenizer.encode(window[:at])) <= most:
            return at
        budget = budget * 3 // 4  # cut off, the part is spelt with more tokens than before


def _best_cut(text: str, spans: Sequence[Span]) -> int:
    ends = [end for _, end in spans if 0 < end < len(text) and not _joined(text, end)]
    half = spans[len(spans) // 2][0] if spans else 0

    def last(wanted: Callable[[int], bool]) -> int | None:
        return next((end for end in reversed(ends) if wanted(end)), None)

    after_pause = last(lambda end: end >= half and _is_pause(text, end))
    return after_pause or last(lambda end: text[end].isspace()) or (ends[-1] if ends else 1)


def _is_pause(text: str, end: int) -> bool:
    before, after = text[end - 1], text[end]
    return before in _WIDE_PAUSES or (before in _PAUSES and after.isspace())


def _joined(text: str, at: int) -> bool:
    """Whether a character would be torn from its accent, or a picture from its parts."""
    after = text[at]
    return unicodedata.category(after) in ("Mn", "Me", "Mc") or "\u200d" in (after, text[at - 1])


def _split(segment: Segment, at: int) -> tuple[Segment, Segment]:
    """Two segments; the space between them is the first one's gap."""
    text = segment.sentence
    head, tail = text[:at].rstrip(), text[at:].lstrip()
    gap = text[len(head) : len(text) - len(tail)]
    start = segment.start + len(head) + len(gap)
    return Segment(head, gap, segment.start), Segment(tail, segment.gap, start)
