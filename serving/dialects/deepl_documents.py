"""Documents for clients of DeepL: send a file, ask until it is done, fetch it once."""

from secrets import compare_digest
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from mt.errors import InputError
from serving.dialects.deepl_parameters import DeepLDocumentParameters, order
from serving.dialects.files import download, uploaded
from serving.dialects.parameters import Lenient, openapi_file, parse, read
from serving.dispatch import service_of
from serving.routes.gate import caller_of
from serving.stores import documents
from serving.stores.document_store import Document

GONE = "no such document and key; a translation can be fetched once, and not for ever"

router = APIRouter()


class DeepLDocument(BaseModel):
    """What to ask with."""

    document_id: str
    document_key: str


class DeepLDocumentStatus(BaseModel):
    """How far it is."""

    document_id: str
    status: Literal["queued", "translating", "done", "error"]
    billed_characters: int | None = None
    error_message: str | None = None


class KeyParameters(Lenient):
    """Of a question about a document."""

    document_key: str = ""


@router.post("/v2/document", openapi_extra=openapi_file(DeepLDocumentParameters))
async def upload(request: Request) -> DeepLDocument:
    """Take a file; it is translated in the background."""
    values = await read(request)
    parameters = parse(DeepLDocumentParameters, values)
    service = service_of(request)
    wanted = order(parameters, service.models)
    caller = caller_of(request)
    await documents.check_glossary(service, wanted, caller)
    name, file = await uploaded(values, parameters.filename)
    ending = name.rpartition(".")[2].lower()
    if parameters.output_format not in (None, "", ending):
        raise InputError(f"output_format: only {ending}, as the file")
    found = documents.start(service, service.models, name, file, wanted, caller)
    return DeepLDocument(document_id=found.document_id, document_key=found.key)


@router.post("/v2/document/{document_id}", response_model_exclude_none=True)
async def status(document_id: str, request: Request) -> DeepLDocumentStatus:
    """How far a document is."""
    document = await _document(document_id, request)
    return DeepLDocumentStatus(
        document_id=document_id,
        status=document.status,
        billed_characters=document.characters if document.status == "done" else None,
        error_message=document.problem or None,
    )


@router.post("/v2/document/{document_id}/result", response_class=Response)
async def result(document_id: str, request: Request) -> Response:
    """The translated file, once; then it is gone."""
    document = await _document(document_id, request)
    if document.status in ("queued", "translating"):
        raise HTTPException(503, "the document is not ready; ask for its status")
    content = service_of(request).documents.take(document)
    if content is None:
        raise HTTPException(404, GONE)
    return download(document.name, content)


async def _document(document_id: str, request: Request) -> Document:
    key = parse(KeyParameters, await read(request)).document_key
    found = service_of(request).documents.find(document_id)
    if found is None or not compare_digest(found.key.encode(), key.encode(errors="replace")):
        raise HTTPException(404, GONE)
    return found
