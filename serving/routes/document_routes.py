"""Whole files over the native interface: send one, ask how far it is, fetch it."""

from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field, Json
from starlette.exceptions import HTTPException

from serving.dialects.files import download, uploaded
from serving.dialects.parameters import Lenient, openapi_file, parse, read
from serving.dispatch import asked_service
from serving.routes.gate import caller_of
from serving.routes.translate_routes import glossary_use
from serving.routing import AUTO, Order
from serving.schemas import LANGUAGE, MODEL, Body, GlossaryChoice, problem_responses
from serving.service import Service
from serving.stores import documents
from serving.stores.document_store import Document

PATH = "/v1/documents"

router = APIRouter()
ServiceOf = Annotated[Service, Depends(asked_service)]


class DocumentParameters(Lenient):
    """Of a file, beside its `file`; its kind is known by the ending of its name."""

    source: str = Field(pattern=f"{LANGUAGE}|^auto$", description="as `fr`; `auto`: look at it")
    target: str = Field(pattern=LANGUAGE, description="as `en`")
    model: str | None = Field(None, pattern=MODEL, description="a name; else the pair's first")
    glossary: Json[GlossaryChoice] | None = Field(None, description="in JSON, as of /v1/translate")


class DocumentBody(Body):
    """How far a file is. Whoever knows its id may fetch it, and nobody can guess one."""

    id: str
    name: str = Field(description="of the translated file")
    status: Literal["queued", "translating", "done", "error"]
    progress: float = Field(description="how much is translated, 0 to 1")
    characters: int
    problem: str | None = Field(None, description="if the status is `error`")


@router.post(
    PATH,
    status_code=202,
    response_model=DocumentBody,
    response_model_exclude_none=True,
    openapi_extra=openapi_file(DocumentParameters),
    responses=problem_responses(404, 408, 413, 415, 422, 429, 500, 503),
)
async def send_document(request: Request, service: ServiceOf) -> DocumentBody:
    """Take a file; it is translated in the background."""
    values = await read(request)
    asked = parse(DocumentParameters, values)
    use = glossary_use(asked.glossary)
    order = Order((), asked.source, asked.target, asked.model, lenient=True, glossary=use)
    caller = caller_of(request)
    _check_pair(order, service)
    await documents.check_glossary(service, order, caller)
    name, file = await uploaded(values)
    given = Path(name)
    named = f"{given.stem}.{order.target}{given.suffix}"
    return _body(
        documents.start(service, service.models, named, file, order, caller, private=False)
    )


@router.get(
    f"{PATH}/{{document_id}}",
    response_model=DocumentBody,
    response_model_exclude_none=True,
    responses=problem_responses(404),
)
async def ask_document(document_id: str, service: ServiceOf) -> DocumentBody:
    """How far a file is."""
    return _body(_find(document_id, service))


@router.get(
    f"{PATH}/{{document_id}}/content",
    response_class=Response,
    responses=problem_responses(404, 409),
)
async def fetch_document(document_id: str, service: ServiceOf) -> Response:
    """The translated file; it is kept for a while."""
    document = _find(document_id, service)
    content = service.documents.read(document) if document.status == "done" else None
    if content is None:
        raise HTTPException(409, "not translated, or not yet; ask for its status")
    return download(document.name, content)


@router.delete(f"{PATH}/{{document_id}}", status_code=204, responses=problem_responses(404, 409))
async def delete_document(document_id: str, service: ServiceOf) -> None:
    """Forget a file before its time."""
    document = _find(document_id, service)
    if document.status in ("queued", "translating"):
        raise HTTPException(409, "it is being translated; wait until it is done")
    service.documents.remove(document_id)


def _check_pair(order: Order, service: Service) -> None:
    """Refuse at once what no model translates.

    Raises:
        UnknownModelError: says which there are.
    """
    if order.source == AUTO:
        service.models.sources_of(order.target, order.model)
    else:
        service.models.choose(order.source, order.target, order.model)


def _find(document_id: str, service: Service) -> Document:
    found = service.documents.find(document_id)
    if found is None or found.key:
        raise HTTPException(404, "no such document; it is kept for a while only")
    return found


def _body(document: Document) -> DocumentBody:
    return DocumentBody(
        id=document.document_id,
        name=document.name,
        status=document.status,
        progress=round(document.progress, 3),
        characters=document.characters,
        problem=document.problem or None,
    )
