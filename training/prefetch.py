"""Batches made ahead of the updates that use them, so that a GPU never waits for one."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from queue import Empty, Queue
from threading import Event, Thread
from typing import Generic, TypeVar

import torch

from training.batching import UpdateBatches

Item = TypeVar("Item")
AHEAD = 4  # updates: enough for the pause between two epochs of a small corpus


@contextmanager
def prepared_ahead(
    stream: Iterator[UpdateBatches], device: torch.device, depth: int = AHEAD
) -> Iterator[Iterator[UpdateBatches]]:
    """The same updates, for a GPU made by a thread, in memory that the GPU copies from by itself.

    On a CPU the thread would only take time from training, so there the stream stays as it is.
    """
    if device.type == "cpu":
        yield stream
        return
    with Prefetcher(map(_pinned, stream), depth) as items:
        yield items


class Prefetcher(Generic[Item]):
    """Items of an iterator in its order, at most `depth` of them ahead, made by one thread.

    What the iterator raises is raised where its next item would have come. Leaving the context
    waits for the item in the making and leaves the rest.
    """

    def __init__(self, items: Iterator[Item], depth: int) -> None:
        self._items, self._stopped = items, Event()
        self._ready: Queue[Item | _End] = Queue(depth)
        self._thread = Thread(target=self._make, name="prefetch", daemon=True)

    def _make(self) -> None:
        end = _End(StopIteration())
        try:
            for item in self._items:
                self._ready.put(item)
                if self._stopped.is_set():
                    return
        except BaseException as error:
            end = _End(error)
        if not self._stopped.is_set():
            self._ready.put(end)

    def __iter__(self) -> "Prefetcher[Item]":
        return self

    def __next__(self) -> Item:
        item = self._ready.get()
        if isinstance(item, _End):
            self._ready.put(item)  # whoever asks again is told the same
            raise item.reason
        return item

    def __enter__(self) -> "Prefetcher[Item]":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        try:
            while True:  # the thread may wait for room for one more item
                self._ready.get_nowait()
        except Empty:
            self._thread.join()


class _End:
    """Stands behind the last item; `reason` is what ended the iterator."""

    def __init__(self, reason: BaseException) -> None:
        self.reason = reason


def _pinned(step: UpdateBatches) -> UpdateBatches:
    return replace(step, batches=[batch.pinned() for batch in step.batches])
