"""Which metrics and labels a PromQL query reads. Enough of the language for deploy/; no more."""

import re

_GROUPING = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\s*\{([^}]*)\}")
_MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"[^"]*"')
_DURATION = re.compile(r"\[[^\]]*\]|\boffset\s+\w+")
_WORD = re.compile(r"(?<![\w.])([a-zA-Z_:][\w:]*)\b(?!\s*\()")
_KEYWORDS = frozenset({"and", "or", "unless", "bool"})


def read_by(query: str) -> dict[str, set[str]]:
    """The labels that each metric of a query must have."""
    grouped = {name.strip() for _, names in _GROUPING.findall(query) for name in names.split(",")}
    rest = _DURATION.sub("", _GROUPING.sub("", query))
    found = {name: set(_MATCHER.findall(inside)) for name, inside in _SELECTOR.findall(rest)}
    for name in _WORD.findall(_SELECTOR.sub("", rest)):
        if name not in _KEYWORDS:
            found.setdefault(name, set())
    return {name: labels | (grouped - {""}) for name, labels in found.items()}
