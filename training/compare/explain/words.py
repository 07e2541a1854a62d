"""Words of a text, with the characters each stands on: what alignments and word counts speak of."""

import re
from dataclasses import dataclass

_HAN_OR_KANA = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_HAN_OR_KANA}]|[^\W{_HAN_OR_KANA}]+(?:['’\-][^\W{_HAN_OR_KANA}]+)*|[^\w\s]")


@dataclass(frozen=True)
class Word:
    """A word and where it stands: characters start (included) to end (excluded)."""

    text: str
    start: int
    end: int

    @property
    def is_letters(self) -> bool:
        """Whether it is more than punctuation."""
        return any(character.isalnum() for character in self.text)


def split_words(text: str) -> list[Word]:
    """Words and signs in order; apostrophes and hyphens stay in a word, other signs stand alone.

    Chinese characters and Japanese kana, which no space divides, are each a word.
    """
    return [Word(found.group(), *found.span()) for found in _WORD.finditer(text)]


def plain_words(text: str) -> list[str]:
    """The same as lower-cased strings, for counting and aligning."""
    return [word.text.lower() for word in split_words(text)]


def source_length(text: str) -> int:
    """Words between spaces: what papers mean by the length of a sentence."""
    return len(text.split())
