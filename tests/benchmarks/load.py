"""Load over HTTP: so many clients that wait for each answer, or arrivals that wait for nobody."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import aiohttp

Body = Callable[[str], dict[str, object]]


@dataclass
class Outcome:
    """What came back: seconds of each answer, texts by their source, and what failed."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    answers: dict[str, set[str]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Sentences answered."""
        return len(self.latencies) / self.seconds

    def percentile(self, percent: int) -> float:
        """Seconds within which so many of all answers came."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) * percent // 100, len(ordered) - 1)] if ordered else 0.0


class Target:
    """A server's address, and how its requests and answers look."""

    def __init__(self, url: str, body: Body, text_of: Callable[[dict[str, object]], str]) -> None:
        self.url, self._body, self._text_of = url, body, text_of

    async def ask(self, session: aiohttp.ClientSession, text: str, outcome: Outcome) -> None:
        """One request, noted."""
        began = time.perf_counter()
        try:
            async with session.post(self.url, json=self._body(text)) as response:
                if response.status != 200:
                    outcome.failures.append(str(response.status))
                    return
                answer = self._text_of(await response.json())
        except aiohttp.ClientError as error:
            outcome.failures.append(type(error).__name__)
            return
        outcome.latencies.append(time.perf_counter() - began)
        outcome.answers.setdefault(text, set()).add(answer)


def closed_loop(target: Target, texts: Sequence[str], clients: int, seconds: float) -> Outcome:
    """Each client sends its next text when it has the answer to the last, until time is up."""

    async def client(session: aiohttp.ClientSession, number: int, outcome: Outcome) -> None:
        draw = random.Random(number)
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            await target.ask(session, draw.choice(texts), outcome)

    async def everybody(session: aiohttp.ClientSession, outcome: Outcome) -> None:
        await asyncio.gather(*(client(session, number, outcome) for number in range(clients)))

    return _run(everybody)


def open_loop(target: Target, texts: Sequence[str], rate: float, seconds: float) -> Outcome:
    """Texts arrive at random moments, `rate` a second on average, however many wait already."""

    async def arrivals(session: aiohttp.ClientSession, outcome: Outcome) -> None:
        draw, asked = random.Random(0), []
        now = began = time.perf_counter()
        while (due := now - began) < seconds:
            asked.append(asyncio.create_task(target.ask(session, draw.choice(texts), outcome)))
            due += draw.expovariate(rate)
            await asyncio.sleep(max(began + due - time.perf_counter(), 0))
            now = began + due
        await asyncio.gather(*asked)

    return _run(arrivals)


def _run(work: Callable[[aiohttp.ClientSession, Outcome], Awaitable[None]]) -> Outcome:
    async def main() -> Outcome:
        outcome = Outcome()
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            began = time.perf_counter()
            await work(session, outcome)
            outcome.seconds = time.perf_counter() - began
        return outcome

    return asyncio.run(main())
