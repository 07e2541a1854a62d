"""From words in a row to a written sentence: elision, contraction, a or an, capital, stop."""

from collections.abc import Iterable

from training.corpora.embedded.lexicon import ASPIRATED_H

_VOWELS = frozenset("aeiouhâàéèêëîïôœAEIOUÉ")
_ELIDED = {w: w[:-1] + "'" for w in ("le", "la", "je", "me", "te", "se", "de", "ne", "que", "ce")}
_CONTRACTED = {
    ("à", "le"): "au",
    ("à", "les"): "aux",
    ("de", "le"): "du",
    ("de", "les"): "des",
}
_CONSONANT_SOUND = frozenset({"useful"})
_VOWEL_SOUND = frozenset({"honest"})


def join(parts: Iterable[str]) -> str:
    """Phrases in a row, the empty ones left out."""
    return " ".join(filter(None, parts))


def starts_with_vowel(word: str) -> bool:
    """Whether a French word makes the one before it elide: ami, homme, y; not hibou."""
    return word == "y" or (word[0] in _VOWELS and word not in ASPIRATED_H)


def elide(text: str) -> str:
    """Elide (que elle, qu'elle), then contract (à le, au; but à l'hôtel)."""
    words: list[str] = []
    for word in reversed(text.split()):
        if words and word in _ELIDED and starts_with_vowel(words[-1]):
            words[-1] = _ELIDED[word] + words[-1]
        elif words and (word, words[-1]) in _CONTRACTED:
            words[-1] = _CONTRACTED[word, words[-1]]
        else:
            words.append(word)
    return " ".join(reversed(words)).replace(" ,", ",")


def spell_french(text: str, stop: str) -> str:
    """Elide and contract, then capital and stop."""
    return _written(elide(text), stop)


def spell_english(text: str, stop: str) -> str:
    """Choose a or an by the sound that follows, then capital and stop."""
    words = text.split()
    for i, following in enumerate(words[1:]):
        if words[i] == "a" and _opens_with_vowel_sound(following):
            words[i] = "an"
    return _written(" ".join(words).replace(" ,", ","), stop)


def _opens_with_vowel_sound(word: str) -> bool:
    return word in _VOWEL_SOUND or (word[0] in "aeiouAEIOU" and word not in _CONSONANT_SOUND)


def _written(text: str, stop: str) -> str:
    return text[0].upper() + text[1:] + stop
