"""Whole files: longer than a request may be, translated piece by piece beside everyone else."""

import asyncio
import secrets
import time
from dataclasses import replace
from functools import partial

from mt import log
from mt.errors import InputError, MTError, OverloadedError
from serving import dispatch
from serving.dispatch import Order
from serving.document_store import Document
from serving.middleware import Facts, where
from serving.models import Models
from serving.service import Service

FORMATS = (".txt",)
PIECE_CHARS = 2_000  # so few sentences at a time that others get their turn
ENDS = ("\n", ". ", " ")  # where a piece may end, the better first
BOM = "\ufeff"
PAUSE_S = 30.0  # until a file that found no place may be sent again


def check_name(name: str) -> None:
    """Refuse a file of another kind.

    Raises:
        InputError: says which there are.
    """
    if not name.lower().endswith(FORMATS):
        raise InputError(f"file: only those whose names end in {', '.join(FORMATS)}")


def decode(content: bytes) -> str:
    """The text of a file.

    Raises:
        InputError: it is not UTF-8.
    """
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise InputError("file: not text in UTF-8") from None


def pieces(text: str, most: int) -> list[str]:
    """Consecutive parts of at most so many characters, cut where `ENDS` say, or anywhere."""
    found, start = [], 0
    while len(text) - start > most:
        end = _end_of_piece(text, start, start + most)
        found.append(text[start:end])
        start = end
    return [*found, text[start:]]


async def translate(service: Service, models: Models, text: str, order: Order, facts: Facts) -> str:
    """A file's text, as `order` says but for its texts; the whole is in one language.

    Raises:
        MTError: as `dispatch.answer`; OverloadedError only where it stays so for too long.
    """
    bom = BOM if text.startswith(BOM) else ""
    text = text.removeprefix(BOM)
    source = await dispatch.language_of(service, models, text, order)
    most = min(PIECE_CHARS, service.settings.limits.max_text_chars)
    deadline = time.monotonic() + service.settings.documents.deadline_s
    done = [bom]
    for piece in pieces(text, most):
        part = replace(order, texts=[piece], source=source)
        done.append(await _patiently(service, models, part, facts, deadline))
    return "".join(done)


async def translate_in_turn(
    service: Service, models: Models, text: str, order: Order, facts: Facts
) -> str:
    """As `translate`, when those that came before have had their turn.

    Raises:
        OverloadedError: as many wait as may.
    """
    _refuse_where_full(service)
    service.files += 1
    try:
        async with service.turn:
            return await translate(service, models, text, order, facts)
    finally:
        service.files -= 1


def start(service: Service, models: Models, name: str, text: str, order: Order) -> Document:
    """Translate a file in the background; what `service.documents` knows of it tells how far it is.

    Raises:
        OverloadedError: as many wait as may.
    """
    _refuse_where_full(service)
    document = service.documents.add(name, len(text), key=secrets.token_hex(32))
    service.files += 1
    job = asyncio.create_task(_job(service, models, document, text, order))
    service.jobs.add(job)
    job.add_done_callback(partial(_leave, service))
    return document


def _refuse_where_full(service: Service) -> None:
    if service.files >= service.settings.documents.max_waiting:
        raise OverloadedError("too many files are waiting", retry_after_s=PAUSE_S)


def _leave(service: Service, job: asyncio.Task[None]) -> None:
    service.jobs.discard(job)
    service.files -= 1


async def _job(
    service: Service, models: Models, document: Document, text: str, order: Order
) -> None:
    facts = Facts(document.document_id)
    async with service.turn:
        document = replace(document, status="translating")
        service.documents.update(document)
        try:
            translated = await translate(service, models, text, order, facts)
            service.documents.finish(document, translated.encode())
            problem = None
        except MTError as error:
            problem = str(error)
        except Exception as error:  # what nobody foresaw; the client must not wait for ever
            problem = "an unexpected failure; send it again"
            log.event("bug", request_id=facts.request_id, **where(error))
        if problem is not None:
            service.documents.update(replace(document, status="error", problem=problem))
    log.event(
        "document",
        request_id=facts.request_id,
        status="done" if problem is None else "error",
        model=facts.model,
        seconds=round(time.perf_counter() - facts.started, 4),
    )


async def _patiently(
    service: Service, models: Models, order: Order, facts: Facts, deadline: float
) -> str:
    """One piece; a full queue is waited for, since nobody expects a file at once."""
    while True:
        try:
            (one,) = await dispatch.answer(service, models, order, facts)
        except OverloadedError as error:
            if time.monotonic() + error.retry_after_s > deadline:
                raise
            await asyncio.sleep(error.retry_after_s)
        else:
            return one.translation.text


def _end_of_piece(text: str, start: int, latest: int) -> int:
    for end in ENDS:
        at = text.rfind(end, start, latest)
        if at >= 0:
            return at + len(end)
    return latest
