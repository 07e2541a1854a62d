"""Bodies of the native HTTP interface: what may be asked, what is answered, how it fails."""

from http import HTTPStatus
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from mt.bundle import Score
from serving.text.text_options import Format, Splitting, TagName, Term

PROBLEM_JSON = "application/problem+json"
LANGUAGE = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,4}$"
MODEL = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"

FRENCH = "Jane visite l'Afrique en septembre."
ENGLISH = "Jane visits Africa in September."


def _as_list(value: object) -> object:
    """One string means a list of one."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return value
    raise PydanticCustomError("text_type", "must be a string or a list of strings")


def _whole_characters(value: str) -> str:
    """JSON can spell half a surrogate pair, which no text holds and UTF-8 cannot write."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise PydanticCustomError("surrogate", "holds half a surrogate pair") from None
    return value


Text = Annotated[str, Field(strict=True), AfterValidator(_whole_characters)]
Texts = Annotated[
    list[Text],
    BeforeValidator(_as_list),
    Field(min_length=1),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}, "minItems": 1},
            ]
        }
    ),
]


class Body(BaseModel):
    """Base of all bodies: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class GlossaryChoice(Body):
    """How terms are to be said: by a glossary that is kept here, or by entries sent along."""

    id: str | None = Field(None, max_length=64, strict=True, description="of /v1/glossaries")
    entries: dict[Text, Text] | None = Field(
        None, max_length=1000, description="target terms by source terms"
    )
    required: bool = Field(
        True,
        strict=True,
        description="every term found in a sentence is in its translation, or `warnings` tell; "
        "false: the terms are preferred where they fit",
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.id is None) == (self.entries is None):
            raise PydanticCustomError("glossary", "needs either id or entries")
        return self


class TranslateRequest(Body):
    """Texts to translate, from which language into which, and how to search."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"text": FRENCH, "source": "fr", "target": "en"},
                {
                    "text": [FRENCH, "Il ne mange pas."],
                    "source": "fr",
                    "target": "en",
                    "model": "transformer",
                    "beam_size": 5,
                    "n_best": 2,
                    "return_scores": True,
                },
            ]
        }
    )

    text: Texts = Field(description="one text or several; blank ones come back as they are")
    source: str = Field(
        pattern=f"{LANGUAGE}|^auto$",
        strict=True,
        description="language of the texts, as `fr`; `auto`: look at each of them",
    )
    target: str = Field(pattern=LANGUAGE, strict=True, description="language wanted, as `en`")
    model: str | None = Field(
        None, pattern=MODEL, strict=True, description="a name of /v1/models; else the pair's first"
    )
    beam_size: int | None = Field(None, ge=1, le=64, strict=True, description="1 is greedy")
    n_best: int | None = Field(
        None, ge=1, le=64, strict=True, description="candidates of each text"
    )
    length_penalty: float | None = Field(
        None, ge=0, le=5, strict=True, allow_inf_nan=False, description="alpha, Wu et al. 2016"
    )
    samples: int | None = Field(
        None,
        ge=0,
        le=64,
        strict=True,
        description="candidates to draw from the model in place of a search; 0 or none: search. "
        "Not beside n_best or a beam_size above 1",
    )
    temperature: float | None = Field(
        None,
        ge=0.01,
        le=10,
        strict=True,
        allow_inf_nan=False,
        description="of samples: divides log-probabilities; below 1 is safer, above 1 more varied",
    )
    top_k: int | None = Field(
        None,
        ge=1,
        strict=True,
        description="of samples: draw each token among so many best ones; up to 50 costs nothing, "
        "a draw among all slows everyone in the running batch down",
    )
    top_p: float | None = Field(
        None,
        gt=0,
        le=1,
        strict=True,
        allow_inf_nan=False,
        description="of samples: draw each token among the best that have this probability "
        "together, after temperature and top_k",
    )
    seed: int | None = Field(
        None,
        ge=0,
        lt=2**32,
        strict=True,
        description="of samples: the same seed draws the same, another one anew",
    )
    format: Format | None = Field(
        None, description="`html`, `xml`: tags are kept, at the words they belong to; else `text`"
    )
    split_sentences: Splitting | None = Field(
        None,
        description="`newlines`: also at newlines; `punctuation`: hard-wrapped paragraphs are "
        "joined; `off`: each text is one sentence",
    )
    preserve_formatting: bool = Field(
        False, strict=True, description="no full stop is added to what has none, as titles"
    )
    do_not_translate: list[Term] | None = Field(
        None, max_length=1000, description="words and phrases to keep, wherever they stand alone"
    )
    glossary: GlossaryChoice | None = Field(None, description="not beside samples")
    ignore_tags: list[TagName] | None = Field(
        None, max_length=1000, description="of markup: elements to keep as they are, text included"
    )
    return_scores: bool = Field(False, strict=True)
    return_alignments: bool = Field(False, strict=True)
    return_words: bool = Field(
        False, strict=True, description="how sure the model was of each word, and its attention"
    )


class WordPairBody(Body):
    """A word of the text and a word of its translation that belong together, as the model sees it.

    Spans count characters (Unicode code points) from 0, end exclusive.
    """

    source: tuple[int, int]
    target: tuple[int, int]


class SentenceWordsBody(Body):
    """The words of one sentence and of its translation; spans as in `WordPairBody`."""

    source: list[tuple[int, int]]
    target: list[tuple[int, int]]
    probabilities: list[float | None] = Field(
        description="of each target word, given those before it; null where the model did not "
        "write it, as a placeholder that was put back"
    )
    attention: list[list[float]] = Field(
        description="for each target word, how much of it came of each source word, 0 to 1; sums "
        "to 1, or to 0 where the model has no attention"
    )


class CandidateBody(Body):
    """One of the n best translations, or of the samples."""

    text: str
    score: float | None = Field(None, description="if return_scores")
    words: list[SentenceWordsBody] | None = Field(None, description="if return_words")


class DetectedBody(Body):
    """The language a text was taken for."""

    language: str
    confidence: float = Field(description="0 to 1; low where a text is short or in none of ours")


class TranslationBody(Body):
    """The answer to one text."""

    text: str
    score: float | None = Field(
        None,
        description="if return_scores: log-probability over length penalty, summed over sentences",
    )
    candidates: list[CandidateBody] | None = Field(
        None, description="if n_best > 1, best first; if samples > 1, as they were drawn"
    )
    alignments: list[WordPairBody] | None = Field(None, description="if return_alignments")
    words: list[SentenceWordsBody] | None = Field(
        None, description="if return_words: sentence by sentence; none of markup"
    )
    warnings: list[str] | None = Field(
        None, description="what is doubtful about the translation, where anything is"
    )
    memory: bool | None = Field(
        None, description="true: people made it, see /v1/memory; it is not the model's"
    )
    detected: DetectedBody | None = Field(
        None, description="if source is `auto`; a text in the language wanted comes back as it is"
    )


class Usage(Body):
    """What the request cost."""

    source_tokens: int
    output_tokens: int
    characters: int = Field(description="Unicode code points of all texts")


class TranslateResponse(Body):
    """One translation per text, in the order of the request, also where one string was sent."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "translations": [{"text": ENGLISH}],
                    "model": "transformer",
                    "usage": {"source_tokens": 9, "output_tokens": 7, "characters": 35},
                }
            ]
        }
    )

    translations: list[TranslationBody]
    model: str = Field(description="with `auto` perhaps several, with commas; none if none ran")
    usage: Usage


class DetectRequest(Body):
    """Texts whose languages are asked for."""

    text: Texts = Field(description="one text or several")


class DetectResponse(Body):
    """The likeliest language of each text, among those of the models; sure of none: 0."""

    detections: list[DetectedBody]


class ModelBody(Body):
    """The facts of one loaded model, from its bundle's manifest."""

    name: str
    family: str
    source: str
    target: str
    parameters: int
    vocab_size: int
    max_source_tokens: int
    max_target_tokens: int
    precision: str = Field(description="of the weights that answer")
    scores: list[Score] = Field(description="each with sacreBLEU's signature")
    data: str = Field(description="name of the corpus it learned from")
    licence: str = Field(description="of that corpus")


class ModelList(Body):
    """All loaded models; of one pair the first answers where no model is named."""

    models: list[ModelBody]


class Status(Body):
    """The answer of a probe."""

    status: Literal["ok"] = "ok"


class FieldError(Body):
    """One wrong field."""

    pointer: str = Field(description="JSON pointer (RFC 6901) into the request body")
    message: str


class Problem(Body):
    """RFC 9457 problem details; they never repeat what was sent."""

    type: str = Field(description="names the kind of problem")
    title: str
    status: int
    detail: str
    instance: str = Field(description="names this occurrence")
    request_id: str = Field(description="also in the X-Request-ID header and in our log")
    errors: list[FieldError] | None = None


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI entries of the problems a route can answer with."""
    content = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"content": content, "description": HTTPStatus(status).phrase}
        for status in statuses
    }
