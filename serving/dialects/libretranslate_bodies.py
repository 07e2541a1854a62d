"""What LibreTranslate's clients may send, and what they are answered."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from serving.dialects.parameters import CamelCase, Lenient
from serving.schemas import Texts

FRONTEND_TIMEOUT_MS = 500  # from the last key to the request, in its own page


class ErrorBody(CamelCase):
    """What went wrong; it begins with "Slowdown:" where the client should wait."""

    error: str


def _not_empty(value: object) -> object:
    if value == "":
        raise PydanticCustomError("empty", "is empty")
    return value


class TranslateParameters(Lenient):
    """Of /translate."""

    q: Annotated[Texts, BeforeValidator(_not_empty)] = Field(description="a text or a list")
    source: str = Field(min_length=1, description="a code of /languages, or `auto`")
    target: str = Field(min_length=1, description="a code of /languages")
    format: Literal["text", "html"] = "text"
    alternatives: int = Field(0, ge=0, description="further translations of each text")
    api_key: str | None = None


class DetectParameters(Lenient):
    """Of /detect."""

    q: str = Field(min_length=1)
    api_key: str | None = None


class FileParameters(Lenient):
    """Of /translate_file, beside its `file`."""

    source: str = Field(min_length=1, description="a code of /languages, or `auto`")
    target: str = Field(min_length=1, description="a code of /languages")
    api_key: str | None = None


class SuggestParameters(Lenient):
    """Of /suggest."""

    q: str = Field(min_length=1, description="a text")
    s: str = Field(min_length=1, description="a better translation of it")
    source: str = Field(min_length=1, description="a code of /languages")
    target: str = Field(min_length=1, description="a code of /languages")
    api_key: str | None = None


class Suggested(CamelCase):
    """It is kept."""

    success: bool = True


class TranslatedFile(CamelCase):
    """Where the translated file is."""

    translated_file_url: str


class Detected(CamelCase):
    """A language, and how sure, in percent."""

    confidence: float
    language: str


class Translated(CamelCase):
    """Lists where `q` was one."""

    translated_text: str | list[str]
    detected_language: Detected | list[Detected] | None = Field(None, description="if `auto`")
    alternatives: list[str] | list[list[str]] | None = Field(None, description="if asked for")


class Language(CamelCase):
    """A language and what it can be translated into; into itself it stays as it is."""

    code: str
    name: str
    targets: list[str]


class Named(CamelCase):
    """A language."""

    code: str
    name: str


class Frontend(CamelCase):
    """What a page that calls this server needs to know."""

    api_keys: bool
    char_limit: int
    files_translation: bool
    frontend_timeout: int = FRONTEND_TIMEOUT_MS
    key_required: bool
    language: dict[Literal["source", "target"], Named]
    suggestions: bool
    supported_files_format: list[str]
