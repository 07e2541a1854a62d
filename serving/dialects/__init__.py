"""Interfaces of other translation services, so that their clients can be pointed at this one."""

from collections.abc import Iterable, Mapping

from starlette.requests import Request

from serving.dialects import deepl, google, libretranslate, opus
from serving.dialects.dialect import Dialect
from serving.routes.gate import KeyFinder, header_key
from serving.settings import DialectName

DIALECTS: Mapping[DialectName, Dialect] = {
    "libretranslate": libretranslate.DIALECT,
    "deepl": deepl.DIALECT,
    "google": google.DIALECT,
    "opus": opus.DIALECT,
}


def key_finder(names: Iterable[DialectName]) -> KeyFinder:
    """A key is where the clients of an address put it."""
    spoken = chosen(names)

    async def find(request: Request) -> str | None:
        path = request.scope["path"]
        finder = next((one.find_key for one in spoken if one.owns(path)), header_key)
        return await finder(request)

    return find


def chosen(names: Iterable[DialectName]) -> list[Dialect]:
    """The dialects of these names."""
    return [DIALECTS[name] for name in names]
