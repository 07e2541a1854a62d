"""SIGTERM under load: what was accepted is answered, and what comes later is told so."""

import asyncio
import random
import signal
import time
from dataclasses import dataclass
from typing import Any

from tests.e2e.faults import load
from tests.e2e.faults.load import Asked, Crowd, Tally
from tests.e2e.faults.served import echo_server
from tests.server_process import PATIENCE_S, Server

CLIENTS = 12


@dataclass(frozen=True)
class Draining:
    """What was seen."""

    tally: Tally
    told: float
    """When the signal was sent."""
    took_s: float
    """From the signal to the end of the process."""
    exit_code: int

    @property
    def cut_off(self) -> list[Asked]:
        """Asked before the signal and never answered; the exit code tells of those given up."""
        return [one for one in self.tally.asked if one.began < self.told and one.status == 0]

    def report(self) -> dict[str, Any]:
        """The figures, for JSON."""
        return {
            "requests": len(self.tally.asked),
            "statuses": self.tally.statuses,
            "under_way_at_the_signal": sum(
                one.began < self.told < one.began + one.seconds for one in self.tally.asked
            ),
            "cut_off": len(self.cut_off),
            "wrong": self.tally.wrong,
            "refusals_without_advice": self.tally.rude,
            "took_s": round(self.took_s, 2),
            "exit_code": self.exit_code,
        }


def draining(seed: int, **settings: Any) -> Draining:
    """Load a server, tell it to stop at some moment, and go on asking until it is gone."""
    with echo_server(busy=500, engine={"max_rows": 4}, **settings) as server:
        told = 0.0

        async def work(crowd: Crowd) -> Tally:
            nonlocal told
            asking = [asyncio.create_task(_client(crowd, server, n)) for n in range(CLIENTS)]
            await asyncio.sleep(1.0 + random.Random(seed).random())
            told = time.perf_counter()
            server.process.send_signal(signal.SIGTERM)
            await asyncio.gather(*asking)
            return crowd.tally

        tally = load.run(server.url, work)
        exit_code = server.process.wait(PATIENCE_S)
        return Draining(tally, told, time.perf_counter() - told, exit_code)


async def _client(crowd: Crowd, server: Server, number: int) -> None:
    """Ask until nobody answers any more; who is refused waits a little."""
    for text in load.texts(number):
        asked = await crowd.ask(text)
        if asked.status == 0 or server.process.poll() is not None:
            return
        if asked.status != 200:
            await asyncio.sleep(0.1)
