"""The interface of the OPUS translation pages: one text, one address.

Written from its public description. Errors are `error` with a text.
"""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from serving import dispatch
from serving.dialects.dialect import Dialect, plain_status
from serving.dialects.languages import known, known_or_auto
from serving.dialects.parameters import Lenient, openapi_body, parse, read
from serving.dispatch import service_of
from serving.http_errors import Failure
from serving.routing import Order
from serving.schemas import Text

PATH = "/api/translate"


class OpusParameters(Lenient):
    """Of a translation."""

    source: Annotated[Text, Field(min_length=1, description="the text")]
    from_: str = Field(alias="from", min_length=1, description="its language, or `auto`")
    to: str = Field(min_length=1)


class OpusTranslation(BaseModel):
    """The text's."""

    translation: str


class OpusError(BaseModel):
    """What went wrong."""

    error: str


router = APIRouter(tags=["OPUS"], responses={"4XX": {"model": OpusError}})


@router.post(PATH, openapi_extra=openapi_body(OpusParameters))
async def translate(request: Request) -> OpusTranslation:
    """Translate one text."""
    parameters = parse(OpusParameters, await read(request))
    models = service_of(request).models
    order = Order(
        texts=[parameters.source],
        source=known_or_auto("from", parameters.from_, models),
        target=known("to", parameters.to, models),
        lenient=True,
    )
    (answer,) = await dispatch.translate(request, order)
    return OpusTranslation(translation=answer.translation.text)


def write_error(failure: Failure) -> Response:
    """An error in words."""
    return JSONResponse(
        {"error": failure.detail}, plain_status(failure.kind), headers=failure.headers
    )


DIALECT = Dialect(
    router=router,
    owns=lambda path: path == PATH,
    write_error=write_error,
    parameters=(OpusParameters,),
)
