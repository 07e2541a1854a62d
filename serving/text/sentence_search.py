"""Sentences to the engine and back; each is judged, and searched once more where it is doubtful."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Collection, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass

from mt.beam_search import Hypothesis, SearchOptions
from mt.errors import InputError, MTError
from mt.tokenizer import Tokenizer
from serving.engine import Engine
from serving.running.waiting_line import expired
from serving.text.guards import Decoded, Try, improved, judge, second_try
from serving.text.sentence_cache import SentenceCache
from serving.text.text_plan import Planner

Found = Future[list[Hypothesis]]


@dataclass(frozen=True)
class Wishes:
    """How a request is to be searched: its options, whether guarded, until when (monotonic)."""

    options: SearchOptions
    guards: bool
    deadline: float | None


class SentenceSearch:
    """The searches of one translator. Where a second try fails, the first one stands."""

    def __init__(
        self, engine: Engine | SentenceCache, tokenizer: Tokenizer, planner: Planner
    ) -> None:
        self._engine = engine
        self._tokenizer = tokenizer
        self._planner = planner

    def decode(self, tries: Sequence[Try], wishes: Wishes) -> list[Decoded]:
        """What is found for each; blocks, and waits for room in the queue.

        Raises:
            MTError: as `Engine.submit`; of the first that fails, and the others are cancelled.
        """
        decoded = self._judge(tries, self._search(tries, wishes.deadline))
        seconds = {
            i: second for i, one in enumerate(decoded) if (second := self._second(one, wishes))
        }
        with contextlib.suppress(MTError):
            found = self._search(seconds.values(), wishes.deadline)
            again = self._judge(seconds.values(), found)
            return improved(decoded, dict(zip(seconds, again, strict=True)))
        return decoded

    @asynccontextmanager
    async def decoding(
        self, tries: Sequence[Try], wishes: Wishes, in_order: bool = False
    ) -> AsyncIterator[list[asyncio.Task[Decoded]]]:
        """A task for each, all queued or none; leaving cancels those that are not done.

        They are queued so that little is padding, or as they come where the first are awaited
        first.

        Raises:
            MTError: as `Engine.submit_many`.
        """
        futures = self._submit_all(tries, wishes.deadline, in_order)
        tasks = [
            asyncio.create_task(self._finish(one, future, wishes))
            for one, future in zip(tries, futures, strict=True)
        ]
        try:
            yield tasks
        finally:
            for task in tasks:
                task.cancel()
            for future in futures:  # a task that has not begun yet would not cancel its own
                future.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _finish(self, first: Try, future: Found, wishes: Wishes) -> Decoded:
        [decoded] = self._judge([first], [await _result(future, wishes.deadline)])
        if (second := self._second(decoded, wishes)) is None:
            return decoded
        with contextlib.suppress(MTError):
            [future] = self._submit_all([second], wishes.deadline)
            again = self._judge([second], [await _result(future, wishes.deadline)])
            return improved([decoded], dict(enumerate(again)))[0]
        return decoded

    def _search(self, tries: Collection[Try], deadline: float | None) -> list[list[Hypothesis]]:
        """What is found for each; blocks, and waits for room in the queue."""
        futures: dict[int, Found] = {}
        given = list(tries)
        try:
            for i in _longest_first(given):
                part, options = given[i]
                futures[i] = self._engine.submit(part.src_ids or [], options, deadline, block=True)
            return [futures[i].result(_left_s(deadline)) for i in range(len(given))]
        except TimeoutError:
            raise expired() from None
        finally:
            for future in futures.values():
                future.cancel()

    def _submit_all(
        self, tries: Sequence[Try], deadline: float | None, in_order: bool = False
    ) -> list[Found]:
        most = self._engine.settings.max_waiting
        if len(tries) > most:
            raise InputError(f"{len(tries)} sentences, at most {most} in one request")
        futures: dict[int, Found] = {}
        order = range(len(tries)) if in_order else _longest_first(tries)
        try:
            for options in dict.fromkeys(tries[i].options for i in order):
                alike = [i for i in order if tries[i].options == options]
                sources = [tries[i].part.src_ids or [] for i in alike]
                queued = self._engine.submit_many(sources, options, deadline)
                futures |= zip(alike, queued, strict=True)
        except MTError:
            for future in futures.values():
                future.cancel()
            raise
        return [futures[i] for i in range(len(tries))]

    def _judge(self, tries: Collection[Try], answers: Sequence[list[Hypothesis]]) -> list[Decoded]:
        return [
            judge(one.part, found, one.options, self._tokenizer)
            for one, found in zip(tries, answers, strict=True)
        ]

    def _second(self, decoded: Decoded, wishes: Wishes) -> Try | None:
        """Samples are what they are."""
        if wishes.options.samples or not wishes.guards:
            return None
        return second_try(decoded, wishes.options, self._planner)


async def _result(future: Found, deadline: float | None) -> list[Hypothesis]:
    """What was found; where nobody waits any longer, the rows are freed."""
    try:
        async with asyncio.timeout(_left_s(deadline)):
            return await asyncio.wrap_future(future)
    except TimeoutError:
        raise expired() from None


def _longest_first(tries: Sequence[Try]) -> list[int]:
    """An order in which sentences that run together are of like length, so little is padding."""
    return sorted(range(len(tries)), key=lambda i: -len(tries[i].part.src_ids or []))


def _left_s(deadline: float | None) -> float | None:
    return None if deadline is None else max(deadline - time.monotonic(), 0.0)
