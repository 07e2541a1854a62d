"""What clients of DeepL may say about a translation, and what is refused of it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from mt.errors import InputError
from serving.dialects.languages import known, known_or_auto
from serving.dialects.parameters import Lenient, parse
from serving.models import Models, Preference
from serving.routing import Order
from serving.schemas import Texts
from serving.stores.glossaries import GlossaryUse
from serving.text.text_options import Splitting, TextOptions

SPLITTING: Mapping[str, Splitting] = {"0": "off", "1": "newlines", "nonewlines": "punctuation"}
PREFERENCES: Mapping[str, Preference] = {
    "latency_optimized": "speed",
    "quality_optimized": "quality",
    "prefer_quality_optimized": "quality",
}
MAX_GLOSSARIES = 5  # in one translation
WITHOUT = ("style_id", "translation_memory_id", "custom_instructions")


def _split_at_commas(value: object) -> object:
    """Tags come as a list, as one text with commas, or both."""
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list):
        return given
    split = [item.split(",") if isinstance(item, str) else [item] for item in given]
    return [tag.strip() if isinstance(tag, str) else tag for tags in split for tag in tags if tag]


def _as_text(value: object) -> object:
    """`split_sentences` may come as a number or a boolean."""
    return str(int(value)) if isinstance(value, int) else value


Tags = Annotated[tuple[str, ...], BeforeValidator(_split_at_commas)]


class DeepLParameters(Lenient):
    """Of texts and documents alike."""

    target_lang: str = Field(min_length=1)
    source_lang: str | None = Field(None, description="without it the text tells")
    formality: Literal["default", "more", "less", "prefer_more", "prefer_less"] = "default"
    glossary_id: str | None = None
    glossary_ids: Tags = ()
    style_id: str | None = None
    translation_memory_id: str | None = None
    custom_instructions: list[str] | str | None = None


class DeepLTranslateParameters(DeepLParameters):
    """Of /v2/translate."""

    text: Texts
    context: str | None = Field(None, description="taken, not billed, and not used")
    split_sentences: Annotated[
        Literal["0", "1", "nonewlines"] | None, BeforeValidator(_as_text)
    ] = None
    preserve_formatting: bool = Field(
        False, description="no full stop where the text has no mark; all else is always kept"
    )
    model_type: (
        Literal["latency_optimized", "quality_optimized", "prefer_quality_optimized"] | None
    ) = Field(None, description="a small or recurrent model, or the largest Transformer")
    tag_handling: Literal["xml", "html"] | None = None
    outline_detection: bool = True
    ignore_tags: Tags = ()
    splitting_tags: Tags = ()
    non_splitting_tags: Tags = ()


class DeepLDocumentParameters(DeepLParameters):
    """Of an upload, beside its `file`."""

    filename: str | None = Field(None, description="in place of the file's own name")
    output_format: str | None = Field(None, description="only the file's own")


def text_order(parameters: DeepLTranslateParameters, models: Models) -> Order:
    """What is to be done with texts.

    Raises:
        InputError: something is not offered here; names it.
    """
    splitting = parameters.split_sentences
    text_options = {
        "format": parameters.tag_handling or "text",
        "split_sentences": SPLITTING[splitting] if splitting else None,
        "outline_detection": parameters.outline_detection,
        "ignore_tags": parameters.ignore_tags,
        "splitting_tags": parameters.splitting_tags,
        "non_splitting_tags": parameters.non_splitting_tags,
        "preserve_formatting": parameters.preserve_formatting,
    }
    return replace(
        order(parameters, models),
        texts=parameters.text,
        preference=PREFERENCES.get(parameters.model_type or ""),
        text_options=parse(TextOptions, text_options),
    )


def order(parameters: DeepLParameters, models: Models) -> Order:
    """Languages, without any text yet.

    Raises:
        InputError: something is not offered here; names it.
    """
    _refuse_what_is_not_there(parameters)
    return Order(
        texts=(),
        source=known_or_auto("source_lang", parameters.source_lang, models),
        target=known("target_lang", parameters.target_lang, models),
        lenient=True,
        glossary=_glossary(parameters),
    )


def _glossary(parameters: DeepLParameters) -> GlossaryUse | None:
    """Which glossaries hold.

    Raises:
        InputError: both parameters are given, or too many of one; or no source language.
    """
    ids = parameters.glossary_ids
    if parameters.glossary_id:
        if ids:
            raise InputError("glossary_ids: not together with glossary_id")
        ids = (parameters.glossary_id,)
    if len(ids) > MAX_GLOSSARIES:
        raise InputError(f"glossary_ids: {len(ids)}, at most {MAX_GLOSSARIES}")
    if ids and not parameters.source_lang:
        raise InputError("source_lang: needed where a glossary is used")
    return GlossaryUse(ids) if ids else None


def _refuse_what_is_not_there(parameters: DeepLParameters) -> None:
    """Better than to leave it out unsaid. A preference may go unheeded, as with DeepL itself."""
    if parameters.formality in ("more", "less"):
        raise InputError(f"formality: the models have none; prefer_{parameters.formality} is taken")
    for name in WITHOUT:
        if getattr(parameters, name):
            raise InputError(f"{name}: not offered on this server")
