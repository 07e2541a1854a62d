"""What a server answers, as plain values. Fields that a newer server adds are passed over."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar

from pydantic import TypeAdapter, ValidationError

from serving.client.errors import FailedError

Span = tuple[int, int]
Answered = TypeVar("Answered")


@dataclass(frozen=True)
class WordPair:
    """A word of the text and one of its translation; spans count characters, end exclusive."""

    source: Span
    target: Span


@dataclass(frozen=True)
class SentenceWords:
    """How sure the model was of each target word, and where it looked."""

    source: tuple[Span, ...]
    target: tuple[Span, ...]
    probabilities: tuple[float | None, ...]
    attention: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Candidate:
    """One of several translations."""

    text: str
    score: float | None = None
    words: tuple[SentenceWords, ...] | None = None


@dataclass(frozen=True)
class Detected:
    """A language and how sure the server is of it, 0 to 1."""

    language: str
    confidence: float


@dataclass(frozen=True)
class Translation:
    """The answer to one text; what was not asked for is None."""

    text: str
    score: float | None = None
    candidates: tuple[Candidate, ...] | None = None
    alignments: tuple[WordPair, ...] | None = None
    words: tuple[SentenceWords, ...] | None = None
    warnings: tuple[str, ...] = ()
    detected: Detected | None = None


@dataclass(frozen=True)
class Usage:
    """What a request cost."""

    source_tokens: int
    output_tokens: int
    characters: int


@dataclass(frozen=True)
class Answer:
    """One translation for each text, in their order."""

    translations: tuple[Translation, ...]
    model: str
    usage: Usage

    @property
    def text(self) -> str:
        """The translation of the first text: of the only one, where one string was sent."""
        return self.translations[0].text


@dataclass(frozen=True)
class Sentence:
    """A finished piece of text number `item`: `before + text + after` of all make the whole."""

    item: int
    sentence: int
    before: str
    text: str
    after: str
    score: float | None = None
    candidates: tuple[Candidate, ...] | None = None
    alignments: tuple[WordPair, ...] | None = None
    words: tuple[SentenceWords, ...] | None = None


@dataclass(frozen=True)
class DetectedItem:
    """The language that text number `item` was taken for."""

    item: int
    language: str
    confidence: float


@dataclass(frozen=True)
class Warnings:
    """What is doubtful about the translation of text number `item`."""

    item: int
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Done:
    """The end of a stream."""

    model: str
    usage: Usage


Event = Sentence | DetectedItem | Warnings | Done


@dataclass(frozen=True)
class Score:
    """A measured score, with the signature that makes it comparable."""

    metric: str
    value: float
    signature: str = ""
    test_set: str = ""


@dataclass(frozen=True)
class Model:
    """The facts of one model."""

    name: str
    family: str
    source: str
    target: str
    parameters: int
    vocab_size: int
    max_source_tokens: int
    max_target_tokens: int
    precision: str
    data: str
    licence: str
    scores: tuple[Score, ...] = ()


@dataclass(frozen=True)
class Document:
    """How far a file is; progress from 0 to 1."""

    id: str
    name: str
    status: Literal["queued", "translating", "done", "error"]
    progress: float
    characters: int
    problem: str | None = None


@dataclass(frozen=True)
class DictionaryFacts:
    """The languages of one dictionary of a glossary, and how many entries it has."""

    source: str
    target: str
    entry_count: int


@dataclass(frozen=True)
class Dictionary:
    """How terms of one language are said in another."""

    source: str
    target: str
    entries: dict[str, str]


@dataclass(frozen=True)
class Glossary:
    """A glossary kept by the server, without its entries."""

    id: str
    name: str
    created: datetime
    dictionaries: tuple[DictionaryFacts, ...]


def read(kind: type[Answered], content: bytes, key: str | None = None) -> Answered:
    """An answer of a kind from JSON; `key`: what it stands under.

    Raises:
        FailedError: this is not what such a server answers.
    """
    adapter: TypeAdapter[Answered] = _adapter(kind)
    try:
        if key is None:
            return adapter.validate_json(content)
        return adapter.validate_python(_adapter(dict[str, Any]).validate_json(content).get(key))
    except ValidationError:
        raise FailedError("the answer is not one of a Seq2Serve server", 200) from None


_ADAPTERS: dict[object, TypeAdapter[Any]] = {}  # each takes a millisecond to make


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]
