"""Load over HTTP whose every answer is compared with what it must be.

The servers under test say every text back, so the expected translation of a text is that text.
"""

import asyncio
import gc
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import aiohttp

from serving.client import AsyncClient, ClientError, ProblemError
from serving.client.exchange import Retries

PROBLEM_JSON = "application/problem+json"
TIMEOUT_S = 120.0
AROUND_S = 2.0
WORDS = ("Jane", "visite", "l'Afrique", "en", "septembre.", "Il", "ne", "mange", "pas.", "dort")


@dataclass(frozen=True)
class Asked:
    """One request and what came of it; status 0: the connection broke."""

    began: float
    seconds: float
    status: int
    right: bool = True
    """Whether the translation is the expected one, where there is one."""
    polite: bool = True
    """Whether a refusal is a JSON problem that says when to come back."""
    by: str = ""
    """The model that answered, or the kind of failure."""


@dataclass
class Tally:
    """All requests of one load."""

    asked: list[Asked] = field(default_factory=list)
    cores: float = 0.0
    """Processors that the load itself took, on average: it shares them with the server."""

    @property
    def statuses(self) -> dict[int, int]:
        """How often each came."""
        return dict(Counter(one.status for one in self.asked))

    @property
    def answered(self) -> list[Asked]:
        """Those with a translation."""
        return [one for one in self.asked if one.status == 200]

    @property
    def refused(self) -> list[Asked]:
        """Those that were told to come back later."""
        return [one for one in self.asked if one.status in (429, 503)]

    @property
    def wrong(self) -> int:
        """Translations that are not the expected ones."""
        return sum(not one.right for one in self.answered)

    @property
    def rude(self) -> int:
        """Refusals that a client cannot read."""
        return sum(not one.polite for one in self.refused)

    @property
    def lost(self) -> int:
        """Requests without an answer: a server's error, or no server."""
        return sum(one.status == 0 or one.status >= 500 for one in self.asked)

    @property
    def longest_gap(self) -> float:
        """Most seconds between one translation and the next."""
        ends = sorted(one.began + one.seconds for one in self.answered)
        return max((after - before for before, after in pairwise(ends)), default=0)

    def report(self) -> dict[str, Any]:
        """The figures, for JSON."""
        return {
            "requests": len(self.asked),
            "statuses": self.statuses,
            "wrong": self.wrong,
            "refusals_without_advice": self.rude,
            "answered_p50_ms": milliseconds(self.answered, 50),
            "answered_p99_ms": milliseconds(self.answered, 99),
            "refused_p99_ms": milliseconds(self.refused, 99),
            "longest_gap_s": round(self.longest_gap, 3),
            "load_took_cores": round(self.cores, 3),
        }


def milliseconds(asked: Sequence[Asked], percent: int) -> float | None:
    """Within which so many of all answers came."""
    ordered = sorted(one.seconds for one in asked)
    if not ordered:
        return None
    return round(1000 * ordered[min(len(ordered) * percent // 100, len(ordered) - 1)], 1)


def texts(seed: int, longest: int = 12) -> Iterator[str]:
    """Sentences of mixed lengths, hardly any twice."""
    draw = random.Random(seed)
    while True:
        yield " ".join(draw.choices(WORDS, k=draw.randint(2, longest)))


class Crowd:
    """Clients of one server. Each request is noted in `tally`."""

    def __init__(self, url: str, http: aiohttp.ClientSession, **options: Any) -> None:
        """`options` go into every request's body."""
        self.url, self.http, self.tally = url, http, Tally()
        self._body = {"source": "fr", "target": "en", "beam_size": 1} | options

    async def ask(self, text: str) -> Asked:
        """One request."""
        began = time.perf_counter()
        body = self._body | {"text": text}
        try:
            async with self.http.post(f"{self.url}/v1/translate", json=body) as response:
                content = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            asked = Asked(began, time.perf_counter() - began, 0, by=type(error).__name__)
        else:
            asked = _judged(began, time.perf_counter() - began, response, content, text)
        self.tally.asked.append(asked)
        return asked

    async def until(self, over: asyncio.Event, number: int) -> None:
        """One client, who asks until then."""
        for text in texts(number):
            if over.is_set():
                return
            if (await self.ask(text)).status != 200:
                await asyncio.sleep(0.05)  # a server that is gone refuses thousands a second

    async def closed(self, clients: int, seconds: float) -> Tally:
        """So many clients, each of whom sends its next text when it has the answer to the last."""
        until = time.perf_counter() + seconds

        async def client(number: int) -> None:
            for text in texts(number):
                if time.perf_counter() >= until:
                    return
                await self.ask(text)

        await asyncio.gather(*(client(number) for number in range(clients)))
        return self.tally

    async def open(self, rate: float, seconds: float, seed: int = 0) -> Tally:
        """Texts arrive at random moments, `rate` a second on average, however many wait already."""
        draw, source = random.Random(seed), texts(seed)
        asked, due, began = [], 0.0, time.perf_counter()
        while due < seconds:
            await asyncio.sleep(max(began + due - time.perf_counter(), 0))
            asked.append(asyncio.create_task(self.ask(next(source))))
            due += draw.expovariate(rate)
        await asyncio.gather(*asked)
        return self.tally


class RetryingCrowd(Crowd):
    """The same with our own client, which asks again where that is right."""

    def __init__(self, url: str, client: AsyncClient, **options: Any) -> None:
        """`options` as of `AsyncClient.translate`."""
        self.tally = Tally()
        self._client, self._options = client, {"beam_size": 1} | options

    async def ask(self, text: str) -> Asked:
        """One request, and what came of it in the end."""
        began = time.perf_counter()
        try:
            answer = await self._client.translate(text, source="fr", target="en", **self._options)
        except ClientError as error:
            status = error.status if isinstance(error, ProblemError) else 0
            asked = Asked(began, time.perf_counter() - began, status, by=str(error))
        else:
            seconds = time.perf_counter() - began
            right = [one.text for one in answer.translations] == [text]
            asked = Asked(began, seconds, 200, right=right, by=answer.model)
        self.tally.asked.append(asked)
        return asked


def _judged(
    began: float, seconds: float, response: aiohttp.ClientResponse, content: bytes, text: str
) -> Asked:
    if response.status == 200:
        found = json.loads(content)
        right = [one["text"] for one in found["translations"]] == [text]
        return Asked(began, seconds, 200, right=right, by=found["model"])
    is_json = response.content_type in (PROBLEM_JSON, "application/json")
    says_when = response.headers.get("retry-after", "").isdecimal()
    return Asked(began, seconds, response.status, polite=is_json and says_when)


@asynccontextmanager
async def crowd(url: str, **options: Any) -> AsyncIterator[Crowd]:
    """Clients of a server, with as many connections as they like."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
        yield Crowd(url, http, **options)


def run(url: str, work: Callable[[Crowd], Awaitable[Tally]], **options: Any) -> Tally:
    """What came of one load, begun and ended here."""

    async def main() -> Tally:
        async with crowd(url, **options) as clients:
            return await work(clients)

    return _timed(main())


def _timed(load: Coroutine[Any, Any, Tally]) -> Tally:
    """Run it to its end, without the long stops of a collector that looks at all of torch."""
    gc.collect()
    gc.freeze()
    began, cpu = time.perf_counter(), time.process_time()
    try:
        tally = asyncio.run(load)
    finally:
        gc.unfreeze()
    tally.cores = (time.process_time() - cpu) / (time.perf_counter() - began)
    return tally


def during(url: str, fault: Callable[[], object], clients: int, retrying: bool) -> Tally:
    """What comes of so many clients, which ask from a little before a fault to a little after."""

    async def work(asking: Crowd) -> Tally:
        over = asyncio.Event()
        tasks = [asyncio.create_task(asking.until(over, number)) for number in range(clients)]
        await asyncio.sleep(AROUND_S)
        try:
            await asyncio.to_thread(fault)
            await asyncio.sleep(AROUND_S)
        finally:
            over.set()
        await asyncio.gather(*tasks)
        return asking.tally

    async def main() -> Tally:
        if not retrying:
            async with crowd(url) as clients_of_others:
                return await work(clients_of_others)
        async with AsyncClient(url, retries=Retries(timeout_s=TIMEOUT_S, attempts=12)) as ours:
            return await work(RetryingCrowd(url, ours))

    return _timed(main())
