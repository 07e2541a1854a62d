"""Glossaries for clients of DeepL: of one pair of languages (v2), and of several (v3).

They are the same glossaries: v2 shows those with one dictionary.
"""

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from mt.errors import UnknownGlossaryError
from serving.dialects.languages import known
from serving.dialects.parameters import Lenient, openapi_body, parse, read
from serving.dispatch import service_of
from serving.models import Models
from serving.stores import glossaries
from serving.stores.glossaries import Dictionary, EntriesFormat, Glossary
from serving.stores.glossary_store import GlossaryStore
from serving.stores.kept_glossaries import kept

router = APIRouter()


class DeepLDictionaryParameters(Lenient):
    """Entries for one pair of languages."""

    source_lang: str = Field(min_length=1)
    target_lang: str = Field(min_length=1)
    entries: str = Field(description="one a line: source and target term, with a tab or comma")
    entries_format: EntriesFormat = "tsv"


class DeepLGlossaryParameters(DeepLDictionaryParameters):
    """Of a new glossary for one pair."""

    name: str = Field(min_length=1)


class DeepLMultilingualParameters(Lenient):
    """Of a new glossary for several pairs."""

    name: str = Field(min_length=1)
    dictionaries: tuple[DeepLDictionaryParameters, ...] = Field(min_length=1)


class DeepLChangeParameters(Lenient):
    """Of a change: another name, further entries, or both."""

    name: str | None = Field(None, min_length=1)
    dictionaries: tuple[DeepLDictionaryParameters, ...] = ()


PARAMETERS = (
    DeepLGlossaryParameters,
    DeepLDictionaryParameters,
    DeepLMultilingualParameters,
    DeepLChangeParameters,
)


class PairParameters(Lenient):
    """A pair of languages."""

    source_lang: str | None = None
    target_lang: str | None = None


class DeepLPair(BaseModel):
    """A pair that glossaries may be for."""

    source_lang: str
    target_lang: str


class DeepLPairs(BaseModel):
    """All of them."""

    supported_languages: list[DeepLPair]


class DeepLGlossary(BaseModel):
    """A glossary for one pair."""

    glossary_id: str
    name: str
    ready: bool = True
    source_lang: str
    target_lang: str
    creation_time: str
    entry_count: int


class DeepLGlossaries(BaseModel):
    """Those of the caller, the oldest first."""

    glossaries: list[DeepLGlossary]


class DeepLDictionary(BaseModel):
    """One dictionary of a multilingual glossary."""

    source_lang: str
    target_lang: str
    entry_count: int


class DeepLMultilingual(BaseModel):
    """A multilingual glossary."""

    glossary_id: str
    name: str
    creation_time: str
    dictionaries: list[DeepLDictionary]


class DeepLMultilinguals(BaseModel):
    """Those of the caller, the oldest first."""

    glossaries: list[DeepLMultilingual]


class DeepLEntries(BaseModel):
    """The entries of one dictionary."""

    source_lang: str
    target_lang: str
    entries: str
    entries_format: EntriesFormat = "tsv"


class DeepLDictionaries(BaseModel):
    """Dictionaries with their entries."""

    dictionaries: list[DeepLEntries]


@router.get("/v2/glossary-language-pairs")
async def language_pairs(request: Request) -> DeepLPairs:
    """The pairs that there is a model for."""
    manifests = service_of(request).models.manifests
    pairs = {
        (glossaries.base(m.source_language), glossaries.base(m.target_language)): 0
        for m in manifests
    }
    return DeepLPairs(
        supported_languages=[DeepLPair(source_lang=one, target_lang=other) for one, other in pairs]
    )


@router.post("/v2/glossaries", status_code=201, openapi_extra=openapi_body(DeepLGlossaryParameters))
async def create(request: Request) -> DeepLGlossary:
    """Keep a glossary."""
    asked = parse(DeepLGlossaryParameters, await read(request))
    dictionary = _dictionary(asked, service_of(request).models)
    return _one_pair(await kept(request, GlossaryStore.create, asked.name, [dictionary]))


@router.get("/v2/glossaries")
async def list_all(request: Request) -> DeepLGlossaries:
    """The caller's glossaries for one pair."""
    found = await kept(request, GlossaryStore.all)
    return DeepLGlossaries(
        glossaries=[_one_pair(one) for one in found if len(one.dictionaries) == 1]
    )


@router.get("/v2/glossaries/{glossary_id}")
async def get(request: Request, glossary_id: str) -> DeepLGlossary:
    """One of them; of several pairs the first is told."""
    return _one_pair(await kept(request, GlossaryStore.get, glossary_id))


@router.get("/v2/glossaries/{glossary_id}/entries", response_class=Response)
async def entries(request: Request, glossary_id: str) -> Response:
    """Its entries, one a line, with tabs."""
    first, *_ = await kept(request, GlossaryStore.dictionaries, glossary_id)
    text = glossaries.write_entries(first.entries)
    return Response(text, media_type="text/tab-separated-values; charset=utf-8")


@router.delete("/v2/glossaries/{glossary_id}", status_code=204)
@router.delete("/v3/glossaries/{glossary_id}", status_code=204)
async def delete(request: Request, glossary_id: str) -> None:
    """Forget it."""
    await kept(request, GlossaryStore.delete, glossary_id)


@router.post(
    "/v3/glossaries", status_code=201, openapi_extra=openapi_body(DeepLMultilingualParameters)
)
async def create_multilingual(request: Request) -> DeepLMultilingual:
    """Keep a glossary for several pairs."""
    asked = parse(DeepLMultilingualParameters, await read(request))
    models = service_of(request).models
    dictionaries = [_dictionary(one, models) for one in asked.dictionaries]
    return _multilingual(await kept(request, GlossaryStore.create, asked.name, dictionaries))


@router.get("/v3/glossaries")
async def list_multilingual(request: Request) -> DeepLMultilinguals:
    """All glossaries of the caller."""
    found = await kept(request, GlossaryStore.all)
    return DeepLMultilinguals(glossaries=[_multilingual(one) for one in found])


@router.get("/v3/glossaries/{glossary_id}")
async def get_multilingual(request: Request, glossary_id: str) -> DeepLMultilingual:
    """One of them."""
    return _multilingual(await kept(request, GlossaryStore.get, glossary_id))


@router.patch("/v3/glossaries/{glossary_id}", openapi_extra=openapi_body(DeepLChangeParameters))
async def change(request: Request, glossary_id: str) -> DeepLMultilingual:
    """Give it another name, and add entries or change them."""
    asked = parse(DeepLChangeParameters, await read(request))
    models = service_of(request).models
    dictionaries = [_dictionary(one, models) for one in asked.dictionaries]
    found = await kept(request, GlossaryStore.update, glossary_id, asked.name, dictionaries)
    return _multilingual(found)


@router.get("/v3/glossaries/{glossary_id}/entries")
async def multilingual_entries(request: Request, glossary_id: str) -> DeepLDictionaries:
    """The entries for a pair; of all pairs where none is named."""
    found = await kept(request, GlossaryStore.dictionaries, glossary_id, *_pair(request))
    return DeepLDictionaries(
        dictionaries=[
            DeepLEntries(
                source_lang=one.source,
                target_lang=one.target,
                entries=glossaries.write_entries(one.entries),
            )
            for one in found
        ]
    )


@router.put(
    "/v3/glossaries/{glossary_id}/dictionaries",
    openapi_extra=openapi_body(DeepLDictionaryParameters),
)
async def replace(request: Request, glossary_id: str) -> DeepLDictionary:
    """Put a dictionary in the place of the one for its pair, or beside the others."""
    asked = parse(DeepLDictionaryParameters, await read(request))
    dictionary = _dictionary(asked, service_of(request).models)
    await kept(request, GlossaryStore.replace, glossary_id, dictionary)
    return DeepLDictionary(
        source_lang=dictionary.source,
        target_lang=dictionary.target,
        entry_count=len(dictionary.entries),
    )


@router.delete("/v3/glossaries/{glossary_id}/dictionaries", status_code=204)
async def remove(request: Request, glossary_id: str) -> None:
    """Forget the dictionary for a pair."""
    source, target = _pair(request)
    await kept(request, GlossaryStore.remove, glossary_id, source or "", target or "")


def _pair(request: Request) -> tuple[str | None, str | None]:
    asked = parse(PairParameters, dict(request.query_params))
    pair = (asked.source_lang, asked.target_lang)
    source, target = (one and glossaries.base(one) for one in pair)
    return source, target


def _dictionary(asked: DeepLDictionaryParameters, models: Models) -> Dictionary:
    parsed = glossaries.parse_entries(asked.entries, asked.entries_format)
    source = known("source_lang", asked.source_lang, models)
    return glossaries.dictionary(source, known("target_lang", asked.target_lang, models), parsed)


def _one_pair(found: Glossary) -> DeepLGlossary:
    if not found.dictionaries:  # v3 can leave none
        raise UnknownGlossaryError("the glossary has no dictionary any more")
    first, *_ = found.dictionaries
    return DeepLGlossary(
        glossary_id=found.glossary_id,
        name=found.name,
        source_lang=first.source,
        target_lang=first.target,
        creation_time=_written(found),
        entry_count=first.entry_count,
    )


def _multilingual(found: Glossary) -> DeepLMultilingual:
    return DeepLMultilingual(
        glossary_id=found.glossary_id,
        name=found.name,
        creation_time=_written(found),
        dictionaries=[
            DeepLDictionary(
                source_lang=one.source, target_lang=one.target, entry_count=one.entry_count
            )
            for one in found.dictionaries
        ],
    )


def _written(found: Glossary) -> str:
    """Its clients read fractions of a second and a zone, and nothing less."""
    return found.created.isoformat(timespec="milliseconds").replace("+00:00", "Z")
