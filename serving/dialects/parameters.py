"""Parameters as clients of other services send them: JSON, or a form and the query together."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from mt.config import describe
from mt.errors import InputError
from serving.routes.gate import KeyFinder, header_key

Parameters = TypeVar("Parameters", bound=BaseModel)
PLAIN = ("application/json", "application/x-www-form-urlencoded")


@dataclass(frozen=True)
class Upload:
    """A file of a form."""

    name: str
    content: bytes


class Lenient(BaseModel):
    """Base of parameters: numbers may come as text, and unknown ones are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class CamelCase(BaseModel):
    """Base of answers whose keys are written in camel case."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


async def read(request: Request, repeatable: Collection[str] = ()) -> dict[str, Any]:
    """Every parameter of a request, whose body is then read; the `repeatable` are lists in a form.

    Raises:
        InputError: the body is not what its Content-Type says.
    """
    body = await request.body()
    if _media_type(request) == "application/json":
        return _object(body)
    given = [*request.query_params.multi_items(), *await _form(request)]
    found: dict[str, Any] = dict(given)
    for name in repeatable:
        if values := [value for one, value in given if one == name]:
            found[name] = values
    return found


def parameter_key(name: str) -> KeyFinder:
    """A key is in the header, or else a parameter of this name: of JSON, a form or the query."""

    async def find(request: Request) -> str | None:
        if key := await header_key(request):
            return key
        found = (await read(request)).get(name) or request.query_params.get(name)
        return found if isinstance(found, str) else None

    return find


def parse(model: type[Parameters], values: Mapping[str, Any]) -> Parameters:
    """Values checked.

    Raises:
        InputError: names everything that is wrong, and repeats nothing.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise InputError(describe(error)) from None


def openapi_body(model: type[BaseModel]) -> dict[str, Any]:
    """What OpenAPI says of a route that reads its parameters here."""
    return {"requestBody": {"content": {kind: {"schema": _reference(model)} for kind in PLAIN}}}


def openapi_file(model: type[BaseModel]) -> dict[str, Any]:
    """As `openapi_body`, of a route that takes a file beside them."""
    binary = {"file": {"type": "string", "format": "binary"}}
    file = {"type": "object", "required": ["file"], "properties": binary}
    schema = {"schema": {"allOf": [_reference(model), file]}}
    return {"requestBody": {"content": {"multipart/form-data": schema}}}


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


async def _form(request: Request) -> list[tuple[str, str | Upload]]:
    """Fields in their order. They are read once, and asked for twice where a key is among them."""
    if not hasattr(request.state, "form"):
        request.state.form = await _read_form(request)
    fields: list[tuple[str, str | Upload]] = request.state.form
    return fields


async def _read_form(request: Request) -> list[tuple[str, str | Upload]]:
    """Files are in memory, where the body was already."""
    try:
        async with request.form() as form:
            return [
                (name, Upload(value.filename or "", await value.read()))
                if isinstance(value, UploadFile)
                else (name, value)
                for name, value in form.multi_items()
            ]
    except HTTPException:
        raise InputError("the body is not the form that its Content-Type says") from None


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise InputError("the body is not JSON in UTF-8") from None
    if not isinstance(value, dict):
        raise InputError("the body must be a JSON object")
    return value
