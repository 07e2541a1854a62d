"""Who may call, and for how much: the one gate that every interface asks.

`Facts.caller` is who a request comes from; what is translated for them is charged to them.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mt.errors import ForbiddenError, KeyRequiredError
from serving.settings import Allowance, ServeSettings
from serving.stores.api_keys import SCOPES, ApiKeys, Scope
from serving.stores.counters import open_counters
from serving.stores.meter import Meter, Used

COUNTERS_VARIABLE = "SEQ2SERVE_COUNTERS"  # an address may hold a password: no file should
ADVICE = "ask whoever runs this server for a key"


@dataclass(frozen=True)
class Caller:
    """Somebody, by the id of their key; empty: anybody without one."""

    key_id: str = ""
    allowance: Allowance = field(default_factory=Allowance)
    scopes: frozenset[Scope] = frozenset(SCOPES)

    def require(self, scope: Scope) -> None:
        """Let them do what is behind a scope; `admin` opens everything.

        Raises:
            ForbiddenError: their key does not open it.
        """
        if not self.scopes & {scope, "admin"}:
            raise ForbiddenError(f"this key is not for {scope}; {ADVICE}")


ANYBODY = Caller()


class Access:
    """Keys and counters of one server; methods that wait do so beside the event loop."""

    def __init__(self, settings: ServeSettings) -> None:
        """Raises: ConfigError: `data_dir` or the counters cannot be used."""
        self._mode = settings.keys.mode
        self._anonymous = Caller(
            allowance=settings.keys.anonymous, scopes=frozenset(SCOPES) - {"admin"}
        )
        folder = Path(settings.data_dir) if settings.data_dir else None
        looks = folder is not None and self._mode != "off"
        self._keys = ApiKeys(folder) if folder and looks else None
        counters = settings.keys.counters or os.environ.get(COUNTERS_VARIABLE) or None
        counts = folder is not None or counters is not None
        self._meter = Meter(open_counters(folder, counters)) if counts else None
        self._has_keys = False

    @property
    def is_open(self) -> bool:
        """Whether nobody is asked for a key, and nothing is counted."""
        return self._meter is None

    async def identify(self, key: str | None) -> Caller:
        """Who shows this key, or none.

        Raises:
            KeyRequiredError: there is no key.
            KeyRefusedError: it is not accepted.
            UnavailableError: the keys cannot be read.
        """
        if self._keys is None:
            return ANYBODY
        return await asyncio.to_thread(self._known, self._keys, key)

    async def enter(self, caller: Caller) -> None:
        """Count one request.

        Raises:
            RateLimitError: that is one too many for now.
        """
        if self._meter is not None and caller.allowance.requests_per_minute is not None:
            await asyncio.to_thread(self._meter.enter, caller.key_id, caller.allowance)

    @asynccontextmanager
    async def charging(self, caller: Caller, characters: int) -> AsyncIterator[None]:
        """Charge the characters of what is translated within; nothing if that fails.

        Raises:
            QuotaError: they are more than what is left of this month.
            RateLimitError: they are too many for now.
        """
        if (meter := self._meter) is None:
            yield
            return
        await asyncio.to_thread(meter.charge, caller.key_id, caller.allowance, characters)
        try:
            yield
        except BaseException:
            # Shielded: a client that leaves gets its characters back too.
            await asyncio.shield(asyncio.to_thread(meter.refund, caller.key_id, characters))
            raise

    async def used(self, caller: Caller) -> Used | None:
        """Characters of this month, by all replicas; None where nobody counts them."""
        if self._meter is None:
            return None
        return await asyncio.to_thread(self._meter.used, caller.key_id, caller.allowance)

    async def headers(self, caller: Caller) -> dict[str, str]:
        """What is left, for the answer to a caller."""
        if self._meter is None or caller.allowance == Allowance():
            return {}
        return await asyncio.to_thread(self._meter.headers, caller.key_id, caller.allowance)

    async def uses_keys(self) -> bool:
        """Whether keys are looked at."""
        return self._mode == "optional" or await self.requires_keys()

    async def requires_keys(self) -> bool:
        """Whether nobody is served without one."""
        return self._keys is not None and await asyncio.to_thread(self._requires, self._keys)

    def close(self) -> None:
        """Close the files."""
        if self._keys is not None:
            self._keys.close()
        if self._meter is not None:
            self._meter.close()

    def _known(self, keys: ApiKeys, key: str | None) -> Caller:
        required = self._requires(keys)
        if self._mode == "auto" and not required:
            return ANYBODY
        if key:
            found = keys.authenticate(key)
            return Caller(found.key_id, found.allowance, found.scopes)
        if required:
            raise KeyRequiredError(f"this server needs an API key; {ADVICE}")
        return self._anonymous

    def _requires(self, keys: ApiKeys) -> bool:
        """Once there is a key there always is: they are never deleted."""
        if self._mode == "auto":
            self._has_keys = self._has_keys or keys.exist()
            return self._has_keys
        return self._mode == "required"
