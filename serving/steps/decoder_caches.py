"""The entries that the running sentences' hypotheses have written, and who sees which of them.

All hypotheses of a sentence share one pool of entries; which are its own past says a bias, so
nothing moves when hypotheses are reordered or dropped. A new entry is written over the first one
that nobody of its sentence sees.

So where a sentence's entries stand is decided by its own past, and behind them is padding: what
attention adds up for it, and in which order, hangs on nobody else in the batch.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from mt import graph_signature as names
from mt.stepper import Ids
from serving.steps.home import HOST, Home, Tensor
from serving.steps.hypothesis_grid import Grid
from serving.steps.padding import padded

Floats = npt.NDArray[np.float32]
Axes = Sequence[int | str]
Arrays = dict[str, npt.NDArray[np.generic]]
Mask = npt.NDArray[np.bool_]

SEEN, UNSEEN = np.float32(0), np.float32(-np.inf)
SLACK = 0.25  # of the entries needed: room to grow before everything is copied
TOO_MUCH = 1.25  # times what is ample: attention reads what nobody has written, so less is copied
LEAST_ENTRIES = 32  # of all sentences together: a first word does not move others again and again


class DecoderCaches:
    """`state.*` with an axis `cache_len`, (places, n_heads, cache_len, d), changed in place.

    `tensors` has them by the names of the step graph's inputs, `outputs` the same arrays by those
    of its outputs, `told` what the graph is told of them. Each stays the same object while nothing
    but the arrays' contents changes; `axes` are those of the states that are caches.
    """

    def __init__(self, inputs: Mapping[str, Axes], home: Home = HOST) -> None:
        """Start empty; `inputs` are the step graph's."""
        self._home = home
        self.axes = {
            name: axes
            for name, axes in inputs.items()
            if name.startswith(names.STATE) and names.CACHE_LEN in axes
        }
        self.tensors: dict[str, Tensor] = {}
        self.outputs: dict[str, Tensor] = {}
        self.told: Arrays = {}
        self._places_are_read = names.CACHE_POSITIONS in inputs
        self._n_heads = int(next(iter(self.axes.values()))[1]) if self.axes else 0
        self._positions = np.zeros((0, 0), np.int64)  # (places, cache_len)
        self._bias = np.zeros((0, 1, 1, 0), np.float32)  # (places, 1, width, cache_len)
        self._targets = np.zeros((0, 1, 0, 3), np.int64)  # (places, width, n_heads, 3)

    def pack(self, kept: Ids) -> None:
        """Keep these places only; they are in ascending order."""
        stepped = kept[kept < len(self._positions)]  # those admitted since stand behind them
        self._positions = self._positions[stepped]
        self._tell(self._bias[stepped])
        fetch = self._home.fetch
        self._take({name: fetch(tensor)[stepped] for name, tensor in self.tensors.items()})

    def step(self, grid: Grid, positions: Ids, parents: Ids, last: Grid) -> None:
        """Tell the step graph who writes where and who sees what, in `told`.

        positions, parents (rows,): tokens each row has decoded, and the row of the grid `last`, of
        the step before, that it continues, or -1.
        """
        if not self.axes:
            return
        # The same grid as before: who stands where they stood sees what they saw.
        moved = grid is not last or not np.array_equal(parents, grid.ranks)
        if moved:
            self._inherit(grid, parents, last)
            if not grid.is_dense:
                self._blind(grid.empty)
        used = self._used()
        needed = int((used.sum(axis=1) + grid.counts).max())
        if not self._fits(used, needed):
            used = self._fit(grid, used, needed)
        place, entry = (~used).nonzero()
        new = entry[place.searchsorted(grid.sentences) + grid.columns]
        length = self._bias.shape[3]
        self._targets[..., 2] = grid.spread(new, empty=length - 1)[..., None]
        self._bias.reshape(-1)[grid.cells * length + new] = SEEN
        if self._places_are_read:
            self._positions[grid.sentences, new] = positions

    def _inherit(self, grid: Grid, parents: Ids, last: Grid) -> None:
        """Let every cell see what its past has written."""
        bias = np.full((grid.n_sentences, 1, grid.width, self._bias.shape[3]), UNSEEN)
        go_on = (parents >= 0).nonzero()[0]
        places = grid.sentences[go_on]
        bias[places, 0, grid.columns[go_on]] = self._bias[places, 0, last.columns[parents[go_on]]]
        if bias.shape == self._bias.shape:
            np.copyto(self._bias, bias)  # where it is bound already
        else:
            self._tell(bias)

    def _blind(self, empty: tuple[Ids, Ids]) -> None:
        """Let empty cells see the last entry only, which is nobody's."""
        places, columns = empty
        self._bias[places, 0, columns] = UNSEEN
        self._bias[places, 0, columns, -1:] = SEEN

    def _used(self) -> Mask:
        """Entries that somebody sees (places, cache_len); the last one is for empty cells."""
        used: Mask = np.any(self._bias[:, 0] == SEEN, axis=1)
        used[:, -1:] = True
        return used

    def _fits(self, used: Mask, needed: int) -> bool:
        """Whether everyone has a place and room, and there is not too much of it."""
        n_places, length = used.shape
        return (
            len(self._positions) == n_places
            and needed <= length
            and (length <= TOO_MUCH * _ample(used, needed) or _reaches(used, _ample(used, needed)))
        )

    def _fit(self, grid: Grid, used: Mask, needed: int) -> Mask:
        """Have ample room, unless entries in use stand beyond it; returns what is used now."""
        n_places, length = used.shape
        ample = _ample(used, needed)
        if _reaches(used, ample):
            ample = length
        held, kept = len(self._positions), min(length, ample)
        tensors: Arrays = {}
        for name, axes in self.axes.items():
            shape = (n_places, self._n_heads, ample, int(axes[-1]))
            tensors[name] = np.zeros(shape, self._home.dtype)
            if held:
                before = self._home.fetch(self.tensors[name])
                tensors[name][:held, :, :kept] = before[:, :, :kept]
        self._take(tensors)
        positions = np.zeros((n_places, ample), np.int64)
        positions[:held, :kept] = self._positions[:, :kept]
        self._positions = positions
        bias = np.full((n_places, 1, self._bias.shape[2], ample), UNSEEN)
        bias[..., :kept] = self._bias[..., :kept]
        self._tell(bias)
        self._blind(grid.empty)
        return self._used()

    def _take(self, arrays: Arrays) -> None:
        """Have these caches from now on."""
        self.tensors = {name: self._home.put(array) for name, array in arrays.items()}
        self.outputs = {n.replace(names.STATE, names.NEXT, 1): t for n, t in self.tensors.items()}

    def _tell(self, bias: Floats) -> None:
        """Have this bias from now on, and the places to write of as many cells."""
        self._bias = bias
        n_places, _, width, _ = bias.shape
        if self._targets.shape[:2] != (n_places, width):
            self._targets = np.empty((n_places, width, self._n_heads, 3), np.int64)
            self._targets[..., 0] = np.arange(n_places)[:, None, None]
            self._targets[..., 1] = np.arange(self._n_heads)
        self.told = {
            names.CACHE_BIAS: bias,
            names.CACHE_PLACES: self._targets,
            names.CACHE_POSITIONS: self._positions,
        }


def _ample(used: Mask, needed: int) -> int:
    """Entries for what is needed, the last one, and some more."""
    least = LEAST_ENTRIES // max(len(used), 1)
    return padded(max(int((needed + 1) * (1 + SLACK)), least))


def _reaches(used: Mask, length: int) -> bool:
    """Whether there are entries in use that a pool of this length would not hold."""
    return bool(used[:, length - 1 : -1].any())
