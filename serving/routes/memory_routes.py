"""The translation memory over the native interface: look for, add, list and delete entries."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.exceptions import HTTPException

from mt.errors import ForbiddenError
from serving.dispatch import asked_service
from serving.routes.gate import asking_caller
from serving.schemas import LANGUAGE, Body, Text, problem_responses
from serving.service import Service
from serving.stores.access import Caller
from serving.stores.memory_store import MAX_CHARS, SHARED, Entry, MemoryStore, Origin, Pair

PATH = "/v1/memory"
PROBLEMS = problem_responses(400, 403, 404, 408, 413, 422, 429, 503)
MAX_ENTRIES = 1000  # of one request
NO_MEMORY = "this server keeps no memory; it needs data_dir"

router = APIRouter(tags=["Memory"])


async def memory_of(service: Annotated[Service, Depends(asked_service)]) -> MemoryStore:
    """The memory of this server, if it has one."""
    if service.memory is None:
        raise HTTPException(404, NO_MEMORY)
    return service.memory


Memory = Annotated[MemoryStore, Depends(memory_of)]
Whose = Annotated[Caller, Depends(asking_caller)]
Code = Annotated[str, Field(pattern=LANGUAGE, strict=True)]
KeptText = Annotated[Text, Field(min_length=1, max_length=MAX_CHARS)]


class PairBody(Body):
    """A text and how people translated it."""

    text: KeptText
    translation: KeptText


class NewEntries(Body):
    """Translations to keep; of a text that is there already the new one counts."""

    source: Code
    target: Code
    entries: list[PairBody] = Field(min_length=1, max_length=MAX_ENTRIES)
    shared: bool = Field(False, strict=True, description="for everybody; needs an `admin` key")


class Added(Body):
    """How many were kept."""

    added: int


class EntryBody(Body):
    """An entry. What is shared belongs to nobody; a `suggestion` stands in for no model."""

    id: int
    source: str
    target: str
    text: str
    translation: str
    origin: Origin
    shared: bool


class EntryList(Body):
    """A page of entries, the oldest first."""

    entries: list[EntryBody]
    next: int | None = Field(None, description="`after` of the next page, if there may be one")


class SearchBody(Body):
    """A text whose like is looked for."""

    source: Code
    target: Code
    text: KeptText
    limit: int = Field(5, ge=1, le=50, strict=True)
    least: float = Field(0.7, gt=0, le=1, description="how alike it must be, 1 being the same")


class MatchBody(Body):
    """An entry and how alike its text is, 0 to 1: Indel distance, without case and spacing."""

    entry: EntryBody
    score: float


class MatchList(Body):
    """The most alike first. They are for people to look at, never in place of a translation."""

    matches: list[MatchBody]


@router.post(PATH, status_code=201, responses=PROBLEMS)
async def add_entries(body: NewEntries, memory: Memory, caller: Whose) -> Added:
    """Keep translations, which stand in for the model from now on, for this key or for all."""
    if body.shared:
        caller.require("admin")
    elif not caller.key_id:
        raise ForbiddenError("only an API key has a memory of its own")
    pairs = [Pair(body.source, body.target, one.text, one.translation) for one in body.entries]
    owner = SHARED if body.shared else caller.key_id
    return Added(added=await asyncio.to_thread(memory.add, owner, pairs, "caller"))


@router.get(PATH, response_model_exclude_none=True, responses=PROBLEMS)
async def list_entries(
    memory: Memory,
    caller: Whose,
    after: Annotated[int, Query(ge=0, le=2**62, description="an id; what came later")] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_ENTRIES)] = 100,
) -> EntryList:
    """Entries of this key, and those that are shared."""
    found = await asyncio.to_thread(memory.entries, caller.key_id, after, limit)
    last = found[-1].entry_id if len(found) == limit else None
    return EntryList(entries=[_body(entry) for entry in found], next=last)


@router.post(f"{PATH}/search", responses=PROBLEMS)
async def search_entries(body: SearchBody, memory: Memory, caller: Whose) -> MatchList:
    """Entries whose text is like another one."""
    given = (caller.key_id, body.source, body.target, body.text, body.limit, body.least)
    found = await asyncio.to_thread(memory.similar, *given)
    return MatchList(
        matches=[MatchBody(entry=_body(one.entry), score=round(one.score, 4)) for one in found]
    )


@router.delete(f"{PATH}/{{entry_id}}", status_code=204, responses=PROBLEMS)
async def delete_entry(entry_id: int, memory: Memory, caller: Whose) -> None:
    """Forget an entry of this key; what is shared needs an `admin` key."""
    owners = [caller.key_id] if caller.key_id else []
    if "admin" in caller.scopes and caller.key_id:
        owners.append(SHARED)
    for owner in owners:
        if await asyncio.to_thread(memory.delete, owner, _within(entry_id)):
            return
    raise HTTPException(404, "no such entry of this key")


def _within(entry_id: int) -> int:
    """SQLite has no larger numbers, and no entry has one that is below."""
    return entry_id if 0 <= entry_id < 2**63 else 0


def _body(entry: Entry) -> EntryBody:
    pair = entry.pair
    return EntryBody(
        id=entry.entry_id,
        source=pair.source,
        target=pair.target,
        text=pair.text,
        translation=pair.translation,
        origin=entry.origin,
        shared=entry.shared,
    )
