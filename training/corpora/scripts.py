"""Which writing system a text is in, by the names Unicode gives its letters."""

import unicodedata
from functools import lru_cache
from typing import Literal, get_args

Script = Literal[
    "Arabic",
    "Armenian",
    "Bengali",
    "Cyrillic",
    "Devanagari",
    "Ethiopic",
    "Georgian",
    "Greek",
    "Gujarati",
    "Gurmukhi",
    "Han",
    "Hangul",
    "Hebrew",
    "Japanese",
    "Kannada",
    "Khmer",
    "Lao",
    "Latin",
    "Malayalam",
    "Myanmar",
    "Sinhala",
    "Tamil",
    "Telugu",
    "Thai",
]

# Unicode names a letter after its script, but for Han (CJK) and Japanese, which mixes three.
_WORDS: dict[str, tuple[str, ...]] = {
    **{script: (script.upper(),) for script in get_args(Script)},
    "Han": ("CJK",),
    "Japanese": ("CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"),
}


def share_in_script(text: str, script: Script) -> float:
    """Share of a text's letters in a script, 0-1; a text without letters counts as being in it."""
    words = [_script_word(char) for char in text if char.isalpha()]
    if not words:
        return 1.0
    return sum(word in _WORDS[script] for word in words) / len(words)


@lru_cache(maxsize=1 << 16)
def _script_word(letter: str) -> str:
    """First word of a letter's Unicode name, its width variant folded: LATIN, CJK, HANGUL."""
    plain = unicodedata.normalize("NFKC", letter)
    return unicodedata.name(plain[0], "").partition(" ")[0]
