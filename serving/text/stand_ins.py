"""What a model reads in the place of a protected span that it could not write.

A model that never saw placeholders or addresses loses them, and the sentence around them with it.
A plain word in their place is translated like any other, and attention tells which word of the
translation came of it. BLEU of a Transformer on 200 sentences of Multi30k, English to German:

| in source and reference | as it is | taken out | stand-in |
| --- | --- | --- | --- |
| `{name}`, a URL ... in place of a noun | 25.6 | 27.6 | 35.0 |
| the same behind a noun | 26.6 | 37.8 | 36.6 |
| 48, 3.5, 10:30 ... in place of a numeral | 25.0 | 31.7 | 36.1 |

The noun and the numeral themselves got 33.1 and 37.0. Cutting the sentence in two at the span got
less than leaving it there.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from mt.tokenizer import Span
from serving.text.protected_spans import Kind, ProtectedSpan, digits
from serving.text.segmenter import UNSPACED

_NOUN = {  # "man": short, frequent in every corpus, can follow an article and do without one
    "bg": "мъж", "ca": "home", "cs": "muž", "da": "mand", "de": "Mann", "el": "άνδρας",
    "en": "man", "es": "hombre", "et": "mees", "eu": "gizon", "fi": "mies", "fr": "homme",
    "ga": "fear", "gl": "home", "hr": "muškarac", "hu": "férfi", "id": "pria", "is": "maður",
    "it": "uomo", "lt": "vyras", "lv": "vīrietis", "mk": "маж", "nb": "mann", "nl": "man",
    "no": "mann", "pl": "mężczyzna", "pt": "homem", "ro": "bărbat", "ru": "мужчина",
    "sk": "muž", "sl": "moški", "sr": "човек", "sv": "man", "tr": "adam", "uk": "чоловік",
}  # fmt: skip


_COUNT = re.compile(  # placeholders of figures
    r"%[\d$.*#+-]*[diufg]$|%\([^()]*\)[diufg]$|\b(?:count|num|number|total|amount|n)\b",
    re.IGNORECASE,
)
_UNSPACED = re.compile(f"[{UNSPACED}]")


@dataclass(frozen=True)
class Slot:
    """A place of what the model reads that belongs to a protected span.

    span: in what the model reads, empty where nothing stands in; protected: in the sentence;
    verbatim: its text; spaced: whether space is before and behind it in the sentence; apart:
    whether no letter or figure is.
    """

    span: Span
    protected: ProtectedSpan
    verbatim: str
    spaced: tuple[bool, bool]
    apart: tuple[bool, bool]
    replaced: bool
    """Whether something stands in for it; else the model reads the text itself."""
    term_words: int = 0
    """Of a glossary's term its words, which the model reads as they are; else 0."""

    @property
    def original(self) -> Span:
        """Where it stands in the sentence."""
        return self.protected.start, self.protected.end


@dataclass(frozen=True)
class Reading:
    """A sentence as a model reads it, with a slot for each protected span, in their order."""

    text: str
    slots: tuple[Slot, ...]

    @property
    def own_words(self) -> str:
        """What is left of it without the slots."""
        ends = [0, *(end for slot in self.slots for end in slot.span), len(self.text)]
        return " ".join(self.text[a:b] for a, b in zip(ends[::2], ends[1::2], strict=True))


def read(
    sentence: str,
    spans: Iterable[ProtectedSpan],
    language: str,
    is_replaced: Callable[[str], bool] = lambda _: True,
) -> Reading:
    """A sentence with something else in the place of those spans that `is_replaced` names."""
    pieces, slots, at, length = [], [], 0, 0
    for span in spans:
        verbatim = span.of(sentence)
        behind = sentence[max(0, span.start - 1) : span.start]
        ahead = sentence[span.end : span.end + 1]
        before, after = _is_glued(behind), _is_glued(ahead)
        glued = before or after
        replaced = is_replaced(verbatim) and not (glued and span.kind == "number")  # as in 1990s
        stand_in = "" if glued else _stand_in(span.kind, verbatim, language)
        gap = " " if before and after else ""  # two words, not one
        word = stand_in or gap if replaced else verbatim
        pieces += [sentence[at : span.start], word]
        start = length + span.start - at
        length, at = start + len(word), span.end
        spaced = behind.isspace(), ahead.isspace()
        apart = not behind.isalnum(), not ahead.isalnum()
        slots.append(Slot((start, length), span, verbatim, spaced, apart, replaced))
    return Reading("".join([*pieces, sentence[at:]]), tuple(slots))


def original_offset(offset: int, slots: Sequence[Slot]) -> int:
    """Where an offset into what the model reads is in the sentence; inside a slot: its start."""
    shift = 0
    for one in slots:
        if offset < one.span[1]:
            return min(offset, one.span[0]) + shift
        shift = one.original[1] - one.span[1]
    return offset + shift


def _is_glued(neighbour: str) -> bool:
    """Whether a stand-in beside this character would be part of its word."""
    return neighbour.isalnum() and not _UNSPACED.match(neighbour)


def _stand_in(kind: Kind, verbatim: str, language: str) -> str:
    if kind == "number" or _COUNT.search(verbatim):
        return "1" if digits(verbatim).lstrip("0") == "1" else "2"
    if kind in ("tag", "symbol"):
        return ""
    return _NOUN.get(language.partition("-")[0], "")
