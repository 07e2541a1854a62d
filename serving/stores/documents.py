"""Whole files: longer than a request may be, translated piece by piece beside everyone else."""

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice

from mt import log
from mt.errors import InputError, MTError, OverloadedError
from serving import dispatch, routing
from serving.file_formats.passages import FileText
from serving.models import Models
from serving.routes.middleware import Facts, where
from serving.routing import Order
from serving.service import Service
from serving.stores.access import Caller
from serving.stores.document_store import Document

PIECE_CHARS = 2_000  # so few sentences at a time that others get their turn
ENDS = ("\n", ". ", " ")  # where a long passage may be cut, the better first
PAUSE_S = 30.0  # until a file that found no place may be sent again


def pieces(text: str, most: int) -> list[str]:
    """Consecutive parts of at most so many characters, cut where `ENDS` say, or anywhere."""
    found, start = [], 0
    while len(text) - start > most:
        end = _end_of_piece(text, start, start + most)
        found.append(text[start:end])
        start = end
    return [*found, text[start:]]


def batches(texts: Sequence[str], most_texts: int, most_chars: int) -> list[list[str]]:
    """Consecutive texts: so many, of so many characters together, or one alone."""
    found: list[list[str]] = []
    room = -1
    for text in texts:
        if len(text) > room or len(found[-1]) == most_texts:
            found.append([])
            room = most_chars
        found[-1].append(text)
        room -= len(text)
    return found


async def translate(
    service: Service,
    models: Models,
    file: FileText,
    order: Order,
    facts: Facts,
    on_progress: Callable[[float], None] = lambda _: None,
) -> bytes:
    """A file, as `order` says but for its texts; the whole is in one language.

    `on_progress` is told how much is done, 0 to 1.

    Raises:
        MTError: as `dispatch.answer`; OverloadedError only where it stays so for too long.
    """
    order = replace(order, text_options=file.text_options)
    source = await routing.language_of(service, models, "\n".join(file.texts), order)
    deadline = time.monotonic() + service.settings.documents.deadline_s
    cut = [_pieces_of(passage, file, service) for passage in file.texts]
    done: list[str] = []
    all_pieces = [piece for parts in cut for piece in parts]
    for batch in batches(all_pieces, service.settings.limits.max_texts, PIECE_CHARS):
        part = replace(order, texts=batch, source=source)
        done += await _patiently(service, models, part, facts, deadline)
        on_progress(len(done) / len(all_pieces))
    remaining = iter(done)
    filled = ["".join(islice(remaining, len(parts))) for parts in cut]
    return await asyncio.to_thread(file.filled, filled)


def _pieces_of(passage: str, file: FileText, service: Service) -> list[str]:
    """Markup is never cut, since its tags belong together."""
    most = service.settings.limits.max_text_chars
    if file.text_options.format == "text":
        return pieces(passage, min(most, PIECE_CHARS))
    if len(passage) > most:
        raise InputError(f"file: a passage of {len(passage)} characters, at most {most}")
    return [passage]


async def translate_in_turn(
    service: Service, models: Models, file: FileText, order: Order, facts: Facts
) -> bytes:
    """As `translate`, when those that came before have had their turn.

    Raises:
        OverloadedError: as many wait as may.
    """
    _refuse_where_full(service)
    service.files += 1
    try:
        async with service.turn:
            return await translate(service, models, file, order, facts)
    finally:
        service.files -= 1


async def check_glossary(service: Service, order: Order, caller: Caller) -> None:
    """Refuse a file at once whose glossary cannot be used, as far as its languages are known.

    Raises:
        UnknownGlossaryError: the caller has no such glossary.
        InputError: it has nothing for these languages.
    """
    if order.glossary is None or not order.glossary.ids or order.source == routing.AUTO:
        return
    ids = order.glossary.ids
    look_up = service.glossaries.entries
    await asyncio.to_thread(look_up, caller.key_id, ids, order.source, order.target)


def start(
    service: Service,
    models: Models,
    name: str,
    file: FileText,
    order: Order,
    caller: Caller,
    private: bool = True,
) -> Document:
    """Translate a file in the background; what `service.documents` knows of it tells how far it is.

    It is charged to the caller. A private one has a key that must be shown beside its id.

    Raises:
        OverloadedError: as many wait as may.
    """
    _refuse_where_full(service)
    characters = sum(map(len, file.texts))
    key = secrets.token_hex(32) if private else ""
    document = service.documents.add(name, characters, key)
    service.files += 1
    job = asyncio.create_task(_job(service, models, document, file, order, caller))
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
    service: Service,
    models: Models,
    document: Document,
    file: FileText,
    order: Order,
    caller: Caller,
) -> None:
    facts = Facts(document.document_id, caller=caller)
    async with service.turn:
        document = replace(document, status="translating")

        def note(progress: float) -> None:
            service.documents.update(replace(document, progress=progress))

        note(0.0)
        try:
            translated = await translate(service, models, file, order, facts, note)
            service.documents.finish(document, translated)
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
) -> list[str]:
    """One batch; a full queue is waited for, since nobody expects a file at once."""
    while True:
        try:
            answers = await dispatch.answer(service, models, order, facts)
        except OverloadedError as error:
            if time.monotonic() + error.retry_after_s > deadline:
                raise
            await asyncio.sleep(error.retry_after_s)
        else:
            return [one.translation.text for one in answers]


def _end_of_piece(text: str, start: int, latest: int) -> int:
    for end in ENDS:
        at = text.rfind(end, start, latest)
        if at >= 0:
            return at + len(end)
    return latest
