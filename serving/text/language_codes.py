"""The many spellings of a language's code (BCP 47), found among those that the models use."""

from collections.abc import Iterable

_SAME = (
    ("zh", "zh-hans", "zh-cn"),
    ("zt", "zh-hant", "zh-tw"),
    ("pb", "pt-br"),
    ("no", "nb"),
    ("tl", "fil"),
    ("he", "iw"),
    ("id", "in"),
)
_CANONICAL = {code: group[0] for group in _SAME for code in group}


def find(code: str, offered: Iterable[str]) -> str | None:
    """The offered code that means the same language, or the same without its region.

    `EN-us` finds `en`, `pt` finds `pt-BR` where there is no `pt`; a script is never left out, since
    a reader of one may not read the other.
    """
    wanted, base = _canonical(code), _without_region(code)
    related = [one for one in offered if _without_region(one) == base]
    return min(
        related,
        key=lambda one: (_canonical(one) != wanted, _canonical(one) != base),
        default=None,
    )


def _canonical(code: str) -> str:
    lower = code.lower().replace("_", "-")
    return _CANONICAL.get(lower, lower)


def _without_region(code: str) -> str:
    """`pt-br` without `br`. The two Chinese scripts stay apart however they are spelt."""
    parts = code.lower().replace("_", "-").split("-")
    if _canonical(code) in ("zh", "zt") or any(len(part) == 4 for part in parts[1:]):
        return _canonical(code)
    return _canonical({"pb": "pt"}.get(parts[0], parts[0]))
