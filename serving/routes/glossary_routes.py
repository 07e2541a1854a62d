"""Glossaries over the native interface; a translation names one in its `glossary` field."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field

from serving.dispatch import asked_service
from serving.schemas import LANGUAGE, Body, Text, problem_responses
from serving.service import Service
from serving.stores import glossaries
from serving.stores.glossaries import Dictionary, Glossary
from serving.stores.glossary_store import GlossaryStore
from serving.stores.kept_glossaries import kept

PATH = "/v1/glossaries"
PROBLEMS = problem_responses(400, 404, 408, 413, 422, 429, 503)
Name = Annotated[Text, Field(min_length=1, max_length=1024)]
Language = Annotated[str, Query(pattern=LANGUAGE)]

router = APIRouter()
ServiceOf = Annotated[Service, Depends(asked_service)]


class DictionaryBody(Body):
    """How terms of one language are said in another, whatever the regions of the two."""

    source: str = Field(pattern=LANGUAGE, strict=True)
    target: str = Field(pattern=LANGUAGE, strict=True)
    entries: dict[Text, Text] = Field(description="target terms by source terms", min_length=1)


class NewGlossary(Body):
    """A glossary to keep."""

    name: Name
    dictionaries: list[DictionaryBody] = Field(min_length=1)


class ChangedGlossary(Body):
    """Another name, further entries, or both; an entry that is there already is changed."""

    name: Name | None = None
    dictionaries: list[DictionaryBody] = Field(default_factory=list)


class DictionaryFactsBody(Body):
    """A dictionary without its entries."""

    source: str
    target: str
    entry_count: int


class GlossaryBody(Body):
    """A glossary without its entries."""

    id: str
    name: str
    created: datetime
    dictionaries: list[DictionaryFactsBody]


class GlossaryList(Body):
    """The caller's glossaries, the oldest first."""

    glossaries: list[GlossaryBody]


class DictionaryList(Body):
    """Dictionaries with their entries."""

    dictionaries: list[DictionaryBody]


@router.post(PATH, status_code=201, responses=PROBLEMS)
async def create_glossary(body: NewGlossary, request: Request) -> GlossaryBody:
    """Keep a glossary; it belongs to the key that it was sent with."""
    dictionaries = [_dictionary(one) for one in body.dictionaries]
    return _body(await kept(request, GlossaryStore.create, body.name, dictionaries))


@router.get(PATH, responses=problem_responses(503))
async def list_glossaries(request: Request) -> GlossaryList:
    """All of the caller's glossaries."""
    return GlossaryList(glossaries=[_body(one) for one in await kept(request, GlossaryStore.all)])


@router.get(f"{PATH}/{{glossary_id}}", responses=problem_responses(404, 503))
async def get_glossary(glossary_id: str, request: Request) -> GlossaryBody:
    """One of them."""
    return _body(await kept(request, GlossaryStore.get, glossary_id))


@router.patch(f"{PATH}/{{glossary_id}}", responses=PROBLEMS)
async def change_glossary(
    glossary_id: str, body: ChangedGlossary, request: Request
) -> GlossaryBody:
    """Give it another name, and add entries or change them."""
    dictionaries = [_dictionary(one) for one in body.dictionaries]
    return _body(await kept(request, GlossaryStore.update, glossary_id, body.name, dictionaries))


@router.delete(f"{PATH}/{{glossary_id}}", status_code=204, responses=problem_responses(404, 503))
async def delete_glossary(glossary_id: str, request: Request) -> None:
    """Forget it."""
    await kept(request, GlossaryStore.delete, glossary_id)


@router.get(f"{PATH}/{{glossary_id}}/dictionaries", responses=problem_responses(404, 422, 503))
async def get_dictionaries(
    glossary_id: str,
    request: Request,
    source: Language | None = None,
    target: Language | None = None,
) -> DictionaryList:
    """Its entries: for all languages, or for these."""
    wanted = [one and glossaries.base(one) for one in (source, target)]
    found = await kept(request, GlossaryStore.dictionaries, glossary_id, *wanted)
    return DictionaryList(
        dictionaries=[
            DictionaryBody(source=one.source, target=one.target, entries=dict(one.entries))
            for one in found
        ]
    )


@router.put(f"{PATH}/{{glossary_id}}/dictionaries", responses=PROBLEMS)
async def put_dictionary(glossary_id: str, body: DictionaryBody, request: Request) -> GlossaryBody:
    """Put a dictionary in the place of the one for its languages, or beside the others."""
    return _body(await kept(request, GlossaryStore.replace, glossary_id, _dictionary(body)))


@router.delete(
    f"{PATH}/{{glossary_id}}/dictionaries",
    status_code=204,
    responses=problem_responses(404, 422, 503),
)
async def delete_dictionary(
    glossary_id: str, request: Request, source: Language, target: Language
) -> None:
    """Forget the dictionary for these languages."""
    await kept(request, GlossaryStore.remove, glossary_id, source, target)


def _dictionary(body: DictionaryBody) -> Dictionary:
    return glossaries.dictionary(body.source, body.target, body.entries.items())


def _body(found: Glossary) -> GlossaryBody:
    return GlossaryBody(
        id=found.glossary_id,
        name=found.name,
        created=found.created,
        dictionaries=[
            DictionaryFactsBody(source=one.source, target=one.target, entry_count=one.entry_count)
            for one in found.dictionaries
        ],
    )
