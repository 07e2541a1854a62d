"""What callers have used, against what they may: requests and characters a minute, and a month."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil, floor

from mt.errors import InputError, QuotaError, RateLimitError
from serving.settings import Allowance
from serving.stores.counters import Counters, Failover

MINUTE_S = 60
MONTH_S = 62 * 24 * 3600  # a month's counter outlives it


@dataclass(frozen=True)
class Window:
    """One limit on what a caller does in any minute."""

    name: str
    limit: int


@dataclass(frozen=True)
class Used:
    """Characters of this month, and how many there may be; no limit is None."""

    characters: int
    limit: int | None


class Meter:
    """Counts by the id of a caller; the counters may be shared with other processes."""

    def __init__(self, counters: Failover, clock: Callable[[], float] = time.time) -> None:
        self._counters = counters
        self._clock = clock

    def enter(self, caller: str, allowance: Allowance) -> None:
        """Count one request.

        Raises:
            RateLimitError: that is one too many for now.
        """
        if allowance.requests_per_minute is not None:
            self._take(caller, Window("requests", allowance.requests_per_minute), 1)

    def charge(self, caller: str, allowance: Allowance, characters: int) -> None:
        """Count characters that are about to be translated.

        Raises:
            QuotaError: they are more than what is left of this month.
            RateLimitError: they are too many for now.
            InputError: they are more than any minute allows.
        """
        if allowance.characters_per_minute is not None:
            self._take(caller, Window("characters", allowance.characters_per_minute), characters)
        used = self._add(caller, characters)
        most = allowance.characters_per_month
        if most is not None and used > most:
            self._add(caller, -characters)
            left = max(0, most - used + characters)
            raise QuotaError(
                f"{characters} characters, and {left} of {most} are left until next month",
                self._month_left_s(),
            )

    def refund(self, caller: str, characters: int) -> None:
        """Give characters of this month back, which were not translated after all."""
        self._add(caller, -characters)

    def used(self, caller: str, allowance: Allowance) -> Used:
        """Characters of this month."""
        name = self._month(caller)
        count = self._counters.ask(lambda counters: counters.get(name))
        return Used(max(0, count), allowance.characters_per_month)

    def headers(self, caller: str, allowance: Allowance) -> dict[str, str]:
        """RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers), if limited."""
        policies, states = [], []
        for window in _windows(allowance):
            left, reset_s = self._left(caller, window)
            policies.append(f'"{window.name}";q={window.limit};w={MINUTE_S}')
            states.append(f'"{window.name}";r={left};t={reset_s}')
        if allowance.characters_per_month is not None:
            left = max(0, allowance.characters_per_month - self.used(caller, allowance).characters)
            policies.append(f'"month";q={allowance.characters_per_month}')
            states.append(f'"month";r={left};t={ceil(self._month_left_s())}')
        joined = {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(states)}
        return joined if policies else {}

    def close(self) -> None:
        """Close the counters."""
        self._counters.close()

    def _take(self, caller: str, window: Window, amount: int) -> None:
        if amount > window.limit:
            raise InputError(f"{amount} {window.name}, and this key has {window.limit} a minute")

        def take(counters: Counters) -> float:
            name = _name(caller, window)
            if counters.acquire_sliding_window_entry(name, window.limit, MINUTE_S, amount):
                return 0.0
            return wait_s(counters.get_sliding_window(name, MINUTE_S), window.limit, amount)

        if wait := self._counters.ask(take):
            raise RateLimitError(f"at most {window.limit} {window.name} a minute", wait)

    def _left(self, caller: str, window: Window) -> tuple[int, int]:
        previous, previous_s, current, current_s = self._counters.ask(
            lambda counters: counters.get_sliding_window(_name(caller, window), MINUTE_S)
        )
        used = floor(previous * previous_s / MINUTE_S + current)
        return max(0, window.limit - used), ceil(current_s - MINUTE_S)

    def _add(self, caller: str, characters: int) -> int:
        name = self._month(caller)
        return self._counters.ask(lambda counters: counters.incr(name, MONTH_S, characters))

    def _month(self, caller: str) -> str:
        return f"month/{caller}/{self._now():%Y-%m}"

    def _month_left_s(self) -> float:
        now = self._now()
        years, month = divmod(now.month, 12)
        return (datetime(now.year + years, month + 1, 1, tzinfo=UTC) - now).total_seconds()

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def wait_s(windows: tuple[int, float, int, float], limit: int, amount: int) -> float:
    """Seconds until `amount` fits into a sliding window, if nobody takes anything meanwhile.

    windows: count and seconds to live of the previous minute, then of the current one, which lives
    on for a whole minute as the previous one. `limit` >= `amount`.

    The previous minute weighs count * seconds to live / 60, so it must shrink to what is free.
    """
    previous, previous_s, current, current_s = windows
    free = limit - amount - current
    if free >= 0:
        return max(0.01, previous_s - MINUTE_S * (free + 1) / previous) if previous else 0.01
    return current_s - min(MINUTE_S, MINUTE_S * (limit - amount + 1) / current)


def _windows(allowance: Allowance) -> list[Window]:
    limits: Mapping[str, int | None] = {
        "requests": allowance.requests_per_minute,
        "characters": allowance.characters_per_minute,
    }
    return [Window(name, limit) for name, limit in limits.items() if limit is not None]


def _name(caller: str, window: Window) -> str:
    return f"{window.name}/{caller}"
