"""Gettext catalogues as corpora: finished messages and what they are translated from."""

import re
from collections.abc import Iterable, Iterator

from mt.bilingual_files.languages import Languages, direction
from mt.bilingual_files.po_fields import fields
from mt.errors import InputError
from training.corpora.pair import Pair

_TAG = re.compile(r"</?[A-Za-z][^<>]*>")  # models see no tags when they serve either
_LANGUAGE = re.compile(r"^Language:[ \t]*([A-Za-z0-9_-]+)", re.MULTILINE)
_SOURCE_LANGUAGE = re.compile(r"^X-Source-Language:[ \t]*([A-Za-z0-9_-]+)", re.MULTILINE)
_START = ("msgctxt", "msgid")

Message = dict[str, str]
"""Texts by the names of their fields."""


def read(lines: Iterable[str], languages: Languages) -> Iterator[Pair]:
    """Pairs of the messages that are translated, neither fuzzy nor obsolete; of plurals, each form.

    The header says the language of the translations (`Language`), seldom that of the messages
    (`X-Source-Language`); where it is the recipe's source, pairs are turned round.

    Raises:
        InputError: no catalogue, which names the line; or one of other languages.
    """
    turned = False
    for message in _messages(lines):
        if message["msgid"]:
            for src, tgt in _forms(message):
                yield Pair(tgt, src) if turned else Pair(src, tgt)
        elif header := message.get("msgstr"):
            turned = _is_turned(header, languages)


def _is_turned(header: str, languages: Languages) -> bool:
    told = _told(_SOURCE_LANGUAGE, header), _told(_LANGUAGE, header)
    way = direction(told, languages)
    if way is None:
        said = " from ".join(code for code in reversed(told) if code)
        raise InputError(f"its header says that it is in {said}; expected {'-'.join(languages)}")
    return way == "turned"


def _told(line: re.Pattern[str], header: str) -> str:
    found = line.search(header)
    return found[1] if found else ""


def _messages(lines: Iterable[str]) -> Iterator[Message]:
    """Whole messages; not the fuzzy ones, but for the header, whose flag means nothing."""
    message: Message = {}
    fuzzy = fuzzy_next = False
    for field in fields(lines):
        if not field.name:
            fuzzy_next = _flag(field.lines[0], fuzzy_next)
            continue
        if field.name in _START and (not message or _is_whole(message)):
            if _counts(message, fuzzy):
                yield message
            message, fuzzy, fuzzy_next = {}, fuzzy_next, False
        _check(field.name, message, field.number)
        message[field.name] = field.value()
    if message and not _is_whole(message):
        raise InputError("the last message has no msgstr; the file was cut off")
    if _counts(message, fuzzy):
        yield message


def _flag(comment: str, fuzzy: bool) -> bool:
    """Whether the next message is fuzzy, after this line."""
    if comment.startswith("#,"):
        return fuzzy or "fuzzy" in re.split(r"[,\s]+", comment[2:])
    return fuzzy and not comment.startswith("#~")  # it was the flag of an obsolete one


def _check(name: str, message: Message, number: int) -> None:
    if name in message:
        raise InputError(f"line {number}: a second {name} in one message")
    if name != "msgctxt" and name != "msgid" and "msgid" not in message:
        raise InputError(f"line {number}: {name} without a msgid before it")


def _is_whole(message: Message) -> bool:
    return any(name.startswith("msgstr") for name in message)


def _counts(message: Message, fuzzy: bool) -> bool:
    return bool(message) and not (fuzzy and message["msgid"])


def _forms(message: Message) -> Iterator[tuple[str, str]]:
    """Sources and translations. Of several forms the first goes with the singular."""
    forms = [name for name in message if name.startswith("msgstr")]
    for name in forms:
        is_singular = name == "msgstr" or (name == "msgstr[0]" and len(forms) > 1)
        src = message["msgid"] if is_singular else message.get("msgid_plural", message["msgid"])
        if tgt := _plain(message[name]):
            yield _plain(src), tgt


def _plain(text: str) -> str:
    """On one line, without tags."""
    return " ".join(_TAG.sub(" ", text).split())
