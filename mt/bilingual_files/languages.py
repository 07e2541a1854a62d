"""Whether a file's language is the one that is wanted."""

from typing import Literal

Languages = tuple[str, str]
"""Codes of source and target; an empty one is not told."""


def is_language(code: str, wanted: str) -> bool:
    """`en-US`, and `en_US` as gettext writes it, are also `en`; `en` is not `en-US`."""
    code, wanted = (one.lower().replace("_", "-") for one in (code, wanted))
    return code == wanted or code.startswith(f"{wanted}-")


def direction(told: Languages, wanted: Languages) -> Literal["straight", "turned"] | None:
    """How pairs of a file become pairs of the languages wanted; None: in no way.

    What either side does not tell is taken for the right one.
    """
    if _fit(told, wanted):
        return "straight"
    return "turned" if _fit(told, (wanted[1], wanted[0])) else None


def _fit(told: Languages, wanted: Languages) -> bool:
    both = zip(told, wanted, strict=True)
    return all(not code or not language or is_language(code, language) for code, language in both)
