"""One app's state: its models, whether it takes requests, how many it is answering."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import cached_property
from pathlib import Path

from mt import log
from mt.errors import UnavailableError
from serving.board import POST_S, Poster
from serving.metrics import Metrics, exposition
from serving.models import Models
from serving.settings import ServeSettings
from serving.stores.access import Access
from serving.stores.document_store import DocumentStore
from serving.stores.glossary_store import GlossaryStore
from serving.stores.memory_store import MemoryStore
from serving.text.detection import Detector
from serving.tracing import open_tracing


class Service:
    """What the routes of one app share. It lives on the event loop; models have their threads."""

    def __init__(
        self,
        open_models: Callable[[], Models],
        settings: ServeSettings,
        poster: Poster | None = None,
    ) -> None:
        """`poster` puts this app's metrics beside those of other replicas."""
        self.settings = settings
        self.access = Access(settings)
        folder = settings.data_dir if settings.memory.enabled else None
        self.memory = MemoryStore(Path(folder)) if folder else None
        self.metrics = Metrics(lambda: self._models, lambda: self.ready)
        self.tracing = open_tracing(settings.trace)
        self._poster = poster
        self.in_flight = 0  # HTTP requests that came before draining, probes included
        self.draining = False
        self.documents = DocumentStore(settings.documents.folder, settings.documents.keep_s)
        self.files = 0  # waiting to be translated, or under way
        self.jobs: set[asyncio.Task[None]] = set()  # those of them that no request waits for
        self.turn = asyncio.Semaphore(settings.documents.parallel)
        self._turns = asyncio.Lock()
        self._open_models = open_models
        self._models: Models | None = None

    @asynccontextmanager
    async def lifespan(self, app: object) -> AsyncIterator[None]:
        """Open the models before the first request and close them after the last."""
        self._models = await asyncio.to_thread(self._open_models)
        log.event("ready", models=[manifest.name for manifest in self._models.manifests])
        posting = asyncio.create_task(self._post()) if self._poster else None
        try:
            yield
        finally:
            if posting:
                posting.cancel()
            await self.abandon()
            await asyncio.to_thread(self.tracing.close)
            self.documents.close()
            self.access.close()
            if self.memory is not None:
                self.memory.close()
            if "glossaries" in vars(self):
                self.glossaries.close()

    def drain(self) -> None:
        """Refuse new translations from now on; those under way finish."""
        self.draining = True

    async def wait_for_turn(self) -> None:
        """Before work that holds up the event loop: between two turns it sees who has left.

        Of a rush of requests all bodies are there at once. If all were begun at once too, clients
        that leave meanwhile would be noticed only after the work for them.
        """
        async with self._turns:
            await asyncio.sleep(0)

    async def wait_until_idle(self, timeout_s: float) -> None:
        """Return when all of `in_flight` are answered, or the time is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self.in_flight:
                    await asyncio.sleep(0.05)

    async def abandon(self) -> None:
        """Close the models now; what is being translated is answered with 503."""
        self.drain()
        for job in self.jobs:
            job.cancel()
        if self._models is not None:
            await asyncio.to_thread(self._models.close)

    @property
    def ready(self) -> bool:
        """Whether a translation asked for now would be tried."""
        return self._models is not None and not self.draining and self._models.healthy()

    async def exposition(self) -> bytes:
        """The metrics of all replicas, in the Prometheus text format."""
        families = self.metrics.families()
        if self._poster is None:
            return exposition(families)
        everything = await self._poster.read(families)
        return await asyncio.to_thread(exposition, everything)  # of many replicas it is long

    async def _post(self) -> None:
        """Show this replica's metrics to the others, again and again."""
        while self._poster:
            await self._poster.post(self.metrics.families())
            await asyncio.sleep(POST_S)

    @cached_property
    def detector(self) -> Detector:
        """Tells the models' languages apart.

        Raises:
            UnavailableError: as `models`.
        """
        return Detector(self.models.languages)

    @cached_property
    def glossaries(self) -> GlossaryStore:
        """The glossaries kept here; without `data_dir`, for as long as this process runs.

        Raises:
            ConfigError: `data_dir` cannot be used.
        """
        data_dir = self.settings.data_dir
        return GlossaryStore(Path(data_dir) if data_dir else None)

    @property
    def models(self) -> Models:
        """The open models.

        Raises:
            UnavailableError: they are not open yet, or the service is shutting down.
        """
        if self._models is None:
            raise UnavailableError("the models are still being opened; try again")
        if self.draining:
            raise UnavailableError("shutting down; try again in a moment")
        return self._models
