"""The terms of a glossary in a sentence, and whether a translation holds what they are to be.

A term is found where it stands alone, the longest first, none over another. It is found as it is
spelt; only one that begins with a small letter is found with a capital too where a sentence begins.
In a translation a term counts where it stands alone, and as it is spelt, but that a sentence may
begin with a capital.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from mt.phrases import MOST_IDS
from mt.tokenizer import UNK_ID, Span, Tokenizer
from serving.stores.glossaries import Entries, base
from serving.text.segmenter import UNSPACED_LANGUAGES

_WORD_START = re.compile(r"(?<!\w)\S")
_ANYWHERE = re.compile(r"\S")


@dataclass(frozen=True)
class FoundTerm:
    """A term of a sentence. span: in the sentence, in characters; target: what it is to be."""

    span: Span
    target: str


@dataclass(frozen=True)
class Terms:
    """What a glossary asks of one sentence.

    found: all of its terms; ids: those of the terms that the search can look after; bias: see
    `mt.search_options.SearchOptions.term_bias`; spaced: whether the language of the translation
    has spaces between words; are_put_in: whether slots hold them, and not the search.
    """

    found: tuple[FoundTerm, ...] = ()
    ids: tuple[tuple[int, ...], ...] = ()
    bias: float | None = None
    spaced: bool = True
    are_put_in: bool = False


NO_TERMS = Terms()


class Lexicon:
    """The entries of one dictionary, to be looked up in sentences of their source language."""

    def __init__(self, entries: Entries, language: str) -> None:
        self._targets = dict(entries)
        self._lengths = sorted({len(source) for source in self._targets}, reverse=True)
        self._spaced = has_spaces(language)

    def find(self, sentence: str) -> list[FoundTerm]:
        """The terms of a sentence, from left to right."""
        found: list[FoundTerm] = []
        for start in (_WORD_START if self._spaced else _ANYWHERE).finditer(sentence):
            if not found or start.start() >= found[-1].span[1]:
                found += self._at(sentence, start.start())
        return found

    def _at(self, sentence: str, start: int) -> list[FoundTerm]:
        """The longest term that begins there; none, or one."""
        for length in self._lengths:
            end = start + length
            source = sentence[start:end]
            if len(source) < length or (self._spaced and _inside_word(sentence, end)):
                continue
            spellings = [source] if start else [source, source[0].lower() + source[1:]]
            for spelt in spellings:
                if (target := self._targets.get(spelt)) is not None:
                    return [FoundTerm((start, end), target)]
        return []


@lru_cache(maxsize=16)
def lexicon(entries: Entries, language: str) -> Lexicon:
    """A lexicon, kept for the next sentence."""
    return Lexicon(entries, language)


def has_spaces(language: str) -> bool:
    """Whether a language has spaces between its words."""
    return base(language) not in UNSPACED_LANGUAGES


def terms_of(
    sentence: str, taken: Sequence[Span], entries: Lexicon, tokenizer: Tokenizer, spaced: bool
) -> Terms:
    """The terms of a sentence and the ids that say them, as many as a search can look after.

    taken: the spans of the sentence that are kept as they are, whatever a glossary says; spaced:
    see `Terms`.
    """
    found = [
        one
        for one in entries.find(sentence)
        if not any(start < one.span[1] and one.span[0] < end for start, end in taken)
    ]
    kept: list[tuple[int, ...]] = []
    room = MOST_IDS
    for one in found:
        ids = tuple(tokenizer.encode_phrase(one.target, spaced))
        if ids and UNK_ID not in ids and len(ids) <= room:
            kept.append(ids)
            room -= len(ids)
    return Terms(tuple(found), tuple(kept), spaced=spaced)


def capitalised(text: str, sentence: str, terms: Terms) -> str:
    """A translation whose first word, a term in small letters, begins as its sentence does."""
    starts = sentence[:1].isupper() and text[:1].islower()
    if starts and any(text.startswith(one.target) for one in terms.found):
        return text[0].upper() + text[1:]
    return text


def lacking(text: str, terms: Terms) -> int:
    """How many terms of its sentence a translation lacks, those counted that come twice."""
    wanted = Counter(one.target for one in terms.found)
    return sum(max(n - _count(text, target, terms.spaced), 0) for target, n in wanted.items())


def _count(text: str, target: str, spaced: bool) -> int:
    if not spaced:
        return text.count(target)
    pattern = rf"(?<!\w){re.escape(target)}(?!\w)"
    found = len(re.findall(pattern, text))
    begins = target[:1].upper() + target[1:]
    at_start = begins != target and re.match(rf"\W*{re.escape(begins)}(?!\w)", text)
    return found + bool(at_start)


def _inside_word(sentence: str, at: int) -> bool:
    around = sentence[at - 1 : at + 1]
    return len(around) == 2 and all(one.isalnum() or one == "_" for one in around)
