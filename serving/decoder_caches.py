"""The entries that the running sentences' hypotheses have written, and who sees which of them.

All hypotheses of a sentence share one pool of entries; which are its own past says a mask, so
nothing moves when hypotheses are reordered or dropped. Entries that nobody sees any more are
squeezed out now and then.

A sentence's entries stand from the left, in the order in which they were written, and behind them
is padding: so what attention adds up for it, and in which order, hangs on nobody else in the batch.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from mt import graph_signature as names
from mt.stepper import Ids
from serving.hypothesis_grid import EMPTY, Grid
from serving.padding import padded

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Axes = Sequence[int | str]
Arrays = dict[str, npt.NDArray[np.generic]]

SEEN, UNSEEN = np.float32(0), np.float32(-np.inf)
SLACK = 0.5  # of the entries needed: room to grow before everything is copied
SQUEEZE_ENTRIES = (
    16  # that nobody sees, and as many again as are seen, before they are squeezed out
)


class DecoderCaches:
    """`state.*` with an axis `cache_len`, (places, n_heads, cache_len, d), changed in place.

    `tensors` has them by the names of the step graph's inputs, `outputs` the same arrays by those
    of its outputs. Both stay the same objects while nothing but the arrays' contents changes.
    """

    def __init__(self, inputs: Mapping[str, Axes]) -> None:
        """Start empty; `inputs` are the step graph's."""
        self._axes = {
            name: axes
            for name, axes in inputs.items()
            if name.startswith(names.STATE) and names.CACHE_LEN in axes
        }
        self.tensors: dict[str, Floats] = {}
        self.outputs: dict[str, Floats] = {}
        self._n_heads = int(next(iter(self._axes.values()))[1]) if self._axes else 0
        self._written = np.zeros(0, np.int64)  # entries of each place
        self._positions = np.zeros((0, 0), np.int64)  # (places, cache_len)
        self._seen = np.zeros((0, 1, 0), np.bool_)  # (places, width, cache_len), of the last step
        self._last = EMPTY

    @property
    def names(self) -> list[str]:
        """Of the states that are caches."""
        return list(self._axes)

    def admit(self, places: Ids) -> None:
        """Begin sentences without an entry in these places; new ones are appended."""
        more = max(int(places.max()) + 1 - len(self._written), 0)
        self._written = np.append(self._written, np.zeros(more, np.int64))

    def retire(self, places: Ids) -> None:
        """Forget the entries of the sentences in these places."""
        self._written[places] = 0

    def pack(self, kept: Ids) -> None:
        """Keep these places only; they are in ascending order."""
        self._written = self._written[kept]
        stepped = kept[kept < len(self._seen)]  # those that were admitted since stand behind them
        self._seen, self._positions = self._seen[stepped], self._positions[stepped]
        self._take({name: tensor[stepped] for name, tensor in self.tensors.items()})

    def step(self, grid: Grid, parents: Ids, last: Grid) -> Arrays:
        """What the step graph is told of the caches.

        parents (rows,): rows of the grid `last`, of the step before, or -1.
        """
        if not self._axes:
            return {}
        seen = self._inherited(grid, parents, last)
        if grid.width > 1:  # else every entry is someone's past
            self._squeeze(seen)
        counts = np.bincount(grid.sentences, minlength=grid.n_sentences)
        seen = self._fit(seen, int((self._written + counts).max()) + 1)
        new = self._written[grid.sentences] + grid.columns
        entries = np.full((grid.n_sentences, grid.width), seen.shape[2] - 1)  # of empty cells
        entries[grid.sentences, grid.columns] = new
        seen[np.arange(grid.n_sentences)[:, None], np.arange(grid.width), entries] = True
        self._positions[grid.sentences, new] = grid.positions
        self._written = self._written + counts
        self._seen = seen
        return {
            names.CACHE_PLACES: self._places(entries),
            names.CACHE_BIAS: np.where(seen, SEEN, UNSEEN)[:, None],
            names.CACHE_POSITIONS: self._positions,
        }

    def _inherited(self, grid: Grid, parents: Ids, last: Grid) -> Mask:
        """What each cell's past has written (places, width, cache_len)."""
        seen = np.zeros((grid.n_sentences, grid.width, self._seen.shape[2]), np.bool_)
        go_on = (parents >= 0).nonzero()[0]
        places = grid.sentences[go_on]
        seen[places, grid.columns[go_on]] = self._seen[places, last.columns[parents[go_on]]]
        return seen

    def _squeeze(self, seen: Mask) -> None:
        """Drop the entries that nobody sees, of sentences with many; their own number decides."""
        if self._written.max() <= SQUEEZE_ENTRIES:
            return
        alive: Mask = np.any(seen, axis=1)  # (places, cache_len)
        n_alive = alive.sum(axis=1)
        places = (self._written - n_alive >= SQUEEZE_ENTRIES + n_alive).nonzero()[0]
        if not len(places):
            return
        kept = np.argsort(~alive[places], axis=1, kind="stable")[:, : n_alive[places].max()]
        at = places[:, None], np.arange(self._n_heads)[:, None, None], kept  # heads come first
        for tensor in self.tensors.values():
            squeezed = tensor[at]  # n_heads, places, kept, d
            tensor[places, :, : kept.shape[1]] = squeezed.swapaxes(0, 1)
        self._positions[places, : kept.shape[1]] = self._positions[places[:, None], kept]
        squeezed_seen = np.take_along_axis(seen[places], kept[:, None], axis=2)
        seen[places] = False
        seen[places, :, : kept.shape[1]] = squeezed_seen
        self._written[places] = n_alive[places]

    def _fit(self, seen: Mask, needed: int) -> Mask:
        """Make room for all places and `needed` entries; cut off room that is twice too much."""
        n_places, width, length = seen.shape
        held = len(self._positions)
        ample = padded(int(needed * (1 + SLACK)))
        if held == n_places and needed <= length <= 2 * ample:
            return seen
        if not needed <= length <= 2 * ample:
            length = ample
        kept = min(length, seen.shape[2])
        tensors: dict[str, Floats] = {}
        for name, axes in self._axes.items():
            shape = (n_places, self._n_heads, length, int(axes[-1]))
            tensors[name] = np.zeros(shape, np.float32)
            if held:
                tensors[name][:held, :, :kept] = self.tensors[name][:, :, :kept]
        self._take(tensors)
        positions = np.zeros((n_places, length), np.int64)
        positions[:held, :kept] = self._positions[:, :kept]
        self._positions = positions
        resized = np.zeros((n_places, width, length), np.bool_)
        resized[:, :, :kept] = seen[:, :, :kept]
        return resized

    def _take(self, tensors: dict[str, Floats]) -> None:
        """Have these arrays from now on."""
        self.tensors = tensors
        self.outputs = {n.replace(names.STATE, names.NEXT, 1): t for n, t in tensors.items()}

    def _places(self, entries: Ids) -> Ids:
        """Sentence, head and entry (places, width, n_heads, 3) of what each cell writes."""
        places = np.empty((*entries.shape, self._n_heads, 3), np.int64)
        places[..., 0] = np.arange(len(entries))[:, None, None]
        places[..., 1] = np.arange(self._n_heads)
        places[..., 2] = entries[:, :, None]
        return places
