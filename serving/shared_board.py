"""A replica's way to the one board of its application, an actor of Ray."""

from collections.abc import Sequence
from typing import Any

import ray
from prometheus_client.core import Metric
from ray import serve
from ray.exceptions import RayError
from ray.serve.exceptions import RayServeException

from mt import log
from serving.board import Board


class SharedBoard:
    """Found by its name, else made; so it is there again a second after it was lost.

    Whichever replica comes first owns it, and both end together: nothing stays behind in a cluster
    when the application leaves it, and a new release brings a board of its own making.
    """

    def __init__(self) -> None:
        self._board: Any = None
        self._lost = False

    async def post(self, families: Sequence[Metric]) -> None:
        """As `Poster.post`."""
        await self._ask(families, and_read=False)

    async def read(self, families: Sequence[Metric]) -> list[Metric]:
        """As `Poster.read`."""
        found: list[Metric] | None = await self._ask(families, and_read=True)
        return list(families) if found is None else found

    async def _ask(self, families: Sequence[Metric], and_read: bool) -> list[Metric] | None:
        try:
            context = serve.get_replica_context()
            self._board = self._board or self._find(f"{context.app_name}-metrics")
            posted = self._board.post.remote(context.replica_id.unique_id, families)
            found: list[Metric] | None = await (self._board.read.remote() if and_read else posted)
        except (RayError, RayServeException) as error:
            self._note_lost(error)
            return None
        self._lost = False
        return found

    def _note_lost(self, error: Exception) -> None:
        if not self._lost:
            log.event("metrics_board_unreachable", error=type(error).__name__)
        self._board, self._lost = None, True

    @staticmethod
    def _find(name: str) -> Any:  # noqa: ANN401 - Ray knows the type of no handle
        return ray.remote(Board).options(name=name, get_if_exists=True, num_cpus=0).remote()
