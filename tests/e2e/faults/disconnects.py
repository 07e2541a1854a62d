"""Clients that leave before their answer: nothing of them stays behind."""

import asyncio
import random
import re
import time
from dataclasses import dataclass
from typing import Any

import httpx

from tests.e2e.faults import load
from tests.e2e.faults.load import Asked, Crowd, Tally
from tests.e2e.faults.served import Resources, echo_server
from tests.server_process import Server

AT_ONCE = 16
LONGEST_STAY = 0.5  # of what the quickest of so many answers took
IDLE_WITHIN_S = 300.0  # a busy machine; an idle one needs a step
LONG = "Jane visite l'Afrique en septembre. " * 20


@dataclass(frozen=True)
class Disconnects:
    """What was seen."""

    left: int
    """Clients that had no answer when they left."""
    idle_after_s: float
    """Seconds from the last leaving until nothing ran and nothing waited."""
    afterwards: Asked
    """One request when all had left."""
    before: Resources
    after: Resources

    def report(self) -> dict[str, Any]:
        """The figures, for JSON."""
        return {
            "left": self.left,
            "idle_after_ms": round(1000 * self.idle_after_s, 1),
            "before": self.before.report(),
            "after": self.after.report(),
        }


def disconnects(clients: int) -> Disconnects:
    """So many clients ask for much, and leave before half of what an answer takes."""
    with echo_server(busy=600) as server:
        load.run(server.url, lambda crowd: crowd.closed(2, 1.0))  # warm
        stayed = load.run(server.url, _stay).answered
        longest_stay_s = LONGEST_STAY * min(one.seconds for one in stayed)
        before = Resources.of(server.process.pid)
        tally = load.run(server.url, lambda crowd: _leave(crowd, clients, longest_stay_s))
        began = time.perf_counter()
        while not is_idle(server):
            assert time.perf_counter() - began < IDLE_WITHIN_S, "rows were never freed"
            time.sleep(0.005)
        idle_after_s = time.perf_counter() - began
        (afterwards,) = load.run(server.url, _ask_once).asked
        left = sum(one.status == 0 for one in tally.asked)
        after = Resources.after(server.process.pid, before)
        return Disconnects(left, idle_after_s, afterwards, before, after)


def is_idle(server: Server) -> bool:
    """Whether no hypothesis runs and no sentence waits."""
    text = httpx.get(f"{server.url}/metrics", timeout=IDLE_WITHIN_S).text
    found = re.findall(r"^mt_engine_(?:running_rows|waiting)\b.* (\S+)$", text, re.MULTILINE)
    assert len(found) == 2, text
    return sum(map(float, found)) == 0


async def _stay(crowd: Crowd) -> Tally:
    await asyncio.gather(*(crowd.ask(LONG) for _ in range(AT_ONCE)))
    return crowd.tally


async def _leave(crowd: Crowd, clients: int, longest_stay_s: float) -> Tally:
    draw, turn = random.Random(0), asyncio.Semaphore(AT_ONCE)

    async def one(stay_s: float) -> None:
        async with turn:
            try:
                await asyncio.wait_for(crowd.ask(LONG), stay_s)
            except TimeoutError:
                crowd.tally.asked.append(Asked(0.0, stay_s, 0))

    await asyncio.gather(*(one(draw.uniform(0.0, longest_stay_s)) for _ in range(clients)))
    return crowd.tally


async def _ask_once(crowd: Crowd) -> Tally:
    await crowd.ask("Jane visite l'Afrique.")
    return crowd.tally
