"""The entries that the running sentences' hypotheses have written, and who sees which of them.

All hypotheses of a sentence share one pool of entries; which are its own past says a bias, so
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
from serving.steps.hypothesis_grid import Grid
from serving.steps.padding import padded

Floats = npt.NDArray[np.float32]
Axes = Sequence[int | str]
Arrays = dict[str, npt.NDArray[np.generic]]

SEEN, UNSEEN = np.float32(0), np.float32(-np.inf)
SLACK = 0.5  # of the entries needed: room to grow before everything is copied
LEAST_ENTRIES = 32  # of all sentences together: a first word does not move others again and again
SQUEEZE_ENTRIES = 16  # nobody sees, and as many again as are seen, before they are squeezed out


class DecoderCaches:
    """`state.*` with an axis `cache_len`, (places, n_heads, cache_len, d), changed in place.

    `tensors` has them by the names of the step graph's inputs, `outputs` the same arrays by those
    of its outputs, `told` what the graph is told of them. Each stays the same object while nothing
    but the arrays' contents changes; `axes` are those of the states that are caches.
    """

    def __init__(self, inputs: Mapping[str, Axes]) -> None:
        """Start empty; `inputs` are the step graph's."""
        self.axes = {
            name: axes
            for name, axes in inputs.items()
            if name.startswith(names.STATE) and names.CACHE_LEN in axes
        }
        self.tensors: dict[str, Floats] = {}
        self.outputs: dict[str, Floats] = {}
        self.told: Arrays = {}
        self._places_are_read = names.CACHE_POSITIONS in inputs
        self._n_heads = int(next(iter(self.axes.values()))[1]) if self.axes else 0
        self._written = np.zeros(0, np.int64)  # entries of each place
        self._looked_at = np.zeros(0, np.int64)  # of them, when somebody last looked for dead ones
        self._positions = np.zeros((0, 0), np.int64)  # (places, cache_len)
        self._bias = np.zeros((0, 1, 1, 0), np.float32)  # (places, 1, width, cache_len)
        self._targets = np.zeros((0, 1, 0, 3), np.int64)  # (places, width, n_heads, 3)

    def admit(self, places: Ids) -> None:
        """Begin sentences without an entry in these places; new ones are appended."""
        more = np.zeros(max(int(places.max()) + 1 - len(self._written), 0), np.int64)
        self._written = np.append(self._written, more)
        self._looked_at = np.append(self._looked_at, more)

    def retire(self, places: Ids) -> None:
        """Forget the entries of the sentences in these places."""
        self._written[places] = self._looked_at[places] = 0

    def pack(self, kept: Ids) -> None:
        """Keep these places only; they are in ascending order."""
        self._written, self._looked_at = self._written[kept], self._looked_at[kept]
        stepped = kept[kept < len(self._positions)]  # those admitted since stand behind them
        self._positions = self._positions[stepped]
        self._tell(self._bias[stepped])
        self._take({name: tensor[stepped] for name, tensor in self.tensors.items()})

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
        if grid.width > 1:  # else every entry is someone's past
            moved |= self._squeeze()
        new = self._written[grid.sentences] + grid.columns
        self._written += grid.counts
        moved |= self._fit(int(new.max()) + 2)  # the last entry is for empty cells
        if moved and not grid.is_dense:
            self._blind(grid.empty)
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
        self._bias[places, 0, columns, -1] = SEEN

    def _squeeze(self) -> bool:
        """Drop the entries that nobody sees, of sentences with many; their own number decides."""
        unknown = self._written - self._looked_at
        if unknown.max() < SQUEEZE_ENTRIES:
            return False
        due = (unknown >= SQUEEZE_ENTRIES).nonzero()[0]
        alive: npt.NDArray[np.bool_] = np.any(self._bias[due, 0] == SEEN, axis=1)
        alive[:, -1] = False
        n_alive = alive.sum(axis=1)
        self._looked_at[due] = self._written[due]
        chosen = self._written[due] - n_alive >= SQUEEZE_ENTRIES + n_alive
        if chosen.any():
            self._drop(due[chosen], alive[chosen], n_alive[chosen])
        return bool(chosen.any())

    def _drop(self, places: Ids, alive: npt.NDArray[np.bool_], n_alive: Ids) -> None:
        """Keep of these places what is alive (places, cache_len)."""
        kept = np.argsort(~alive, axis=1, kind="stable")[:, : n_alive.max()]
        at = places[:, None], np.arange(self._n_heads)[:, None, None], kept  # heads come first
        for tensor in self.tensors.values():
            squeezed = tensor[at]  # n_heads, places, kept, d
            tensor[places, :, : kept.shape[1]] = squeezed.swapaxes(0, 1)
        self._positions[places, : kept.shape[1]] = self._positions[places[:, None], kept]
        bias = np.take_along_axis(self._bias[places], kept[:, None, None], axis=3)
        self._bias[places] = UNSEEN
        self._bias[places, ..., : kept.shape[1]] = bias
        self._written[places] = self._looked_at[places] = n_alive

    def _fit(self, needed: int) -> bool:
        """Make room for all places and `needed` entries; cut off room that is twice too much."""
        n_places, _, width, length = self._bias.shape
        held = len(self._positions)
        ample = padded(max(int(needed * (1 + SLACK)), LEAST_ENTRIES // max(n_places, 1)))
        if held == n_places and needed <= length <= 2 * ample:
            return False
        kept = length
        if not needed <= length <= 2 * ample:
            length = ample
            kept = min(kept, length)
        tensors: dict[str, Floats] = {}
        for name, axes in self.axes.items():
            shape = (n_places, self._n_heads, length, int(axes[-1]))
            tensors[name] = np.zeros(shape, np.float32)
            if held:
                tensors[name][:held, :, :kept] = self.tensors[name][:, :, :kept]
        self._take(tensors)
        positions = np.zeros((n_places, length), np.int64)
        positions[:held, :kept] = self._positions[:, :kept]
        self._positions = positions
        bias = np.full((n_places, 1, width, length), UNSEEN)
        bias[..., :kept] = self._bias[..., :kept]
        self._tell(bias)
        return True

    def _take(self, tensors: dict[str, Floats]) -> None:
        """Have these caches from now on."""
        self.tensors = tensors
        self.outputs = {n.replace(names.STATE, names.NEXT, 1): t for n, t in tensors.items()}

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
