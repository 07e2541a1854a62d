"""The caller's glossaries, for the routes of every interface."""

import asyncio
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from starlette.requests import Request

from serving.dispatch import service_of
from serving.routes.gate import caller_of
from serving.stores.glossary_store import GlossaryStore

Given = ParamSpec("Given")
Result = TypeVar("Result")


async def kept(
    request: Request,
    work: Callable[Concatenate[GlossaryStore, str, Given], Result],
    *given: Given.args,
    **named: Given.kwargs,
) -> Result:
    """What a method of the store does for the caller of a request, beside the event loop."""
    store, owner = service_of(request).glossaries, caller_of(request).key_id
    return await asyncio.to_thread(work, store, owner, *given, **named)
