"""Interfaces of other translation services, so that their clients can be pointed at this one."""

from collections.abc import Iterable, Mapping

from serving.dialects import deepl, google, libretranslate, opus
from serving.dialects.dialect import Dialect
from serving.settings import DialectName

DIALECTS: Mapping[DialectName, Dialect] = {
    "libretranslate": libretranslate.DIALECT,
    "deepl": deepl.DIALECT,
    "google": google.DIALECT,
    "opus": opus.DIALECT,
}


def chosen(names: Iterable[DialectName]) -> list[Dialect]:
    """The dialects of these names."""
    return [DIALECTS[name] for name in names]
