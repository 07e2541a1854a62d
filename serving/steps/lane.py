"""Sentences that are stepped together: their places, their memory, their caches, one step graph."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mt import graph_signature as names
from mt.stepper import Ids, Rows, Slot, StepOutput
from serving.steps.decoder_caches import DecoderCaches
from serving.steps.decoder_states import DecoderStates
from serving.steps.encoder_memory import EncoderMemory
from serving.steps.hypothesis_grid import EMPTY, Grid
from serving.steps.onnx_graph import Array, Axes, OnnxGraph
from serving.steps.places import Places
from serving.steps.shortlists import Shortlists

NOBODY = np.zeros(0, np.int64)
NO_TENSORS: dict[str, Array] = {}


class Asked(NamedTuple):
    """What a step is asked for, and of which cells."""

    grid: Grid
    k: int
    with_attention: bool


class Lane:
    """A running batch on the step graph; all its sentences are greedy, or none of them is.

    A product with one row of queries is summed in another order than one with several. So that no
    neighbour changes an answer by a bit, sentences of one row run in a lane of their own, and the
    grid of the others is never narrower than two.
    """

    def __init__(
        self, encoded: Axes, step: OnnxGraph, least_width: int, shortlists: Shortlists | None = None
    ) -> None:
        """Start empty; `encoded` are the axes of what the encoder graph gives.

        shortlists: an empty one, where the step graph is a shortlisted one.
        """
        lengths = {n: axes.index(names.SRC_LEN) for n, axes in memory_axes(encoded).items()}
        self._step, self._least_width = step, least_width
        self._places = Places()
        self._memory = EncoderMemory(lengths)
        self._shortlists = shortlists
        self._caches = DecoderCaches(step.inputs, step.home)
        self._states = DecoderStates(step.inputs, step.home)
        self._starts: dict[Slot, dict[str, Array]] = {}
        self._grid, self._slots, self._changes = EMPTY, NOBODY, 0  # of the last step
        self._next_positions = np.zeros(1, np.int64)  # of its rows' children; last, of no parent's
        self._asked, self._request = Asked(EMPTY, 0, False), dict[str, Array]()
        self._shapes, self._found = dict[str, tuple[int, ...]](), dict[str, Array]()

    @property
    def sentences(self) -> int:
        """Number of running sentences."""
        return self._places.taken

    def admit(
        self, slots: Sequence[Slot], encoded: Mapping[str, Array], lists: Sequence[Ids] = ()
    ) -> None:
        """Add sentences, row i of each tensor and `lists[i]`, its shortlist, being slots[i]'s."""
        places = self._places.admit(slots)
        self._memory.admit(places, encoded)
        if self._shortlists is not None:
            self._shortlists.admit(places, lists)
        for i, slot in enumerate(slots):
            self._starts[slot] = {n: encoded[n][i : i + 1] for n in self._states.start_names}

    def step(self, rows: Rows, k: int, with_attention: bool = False) -> StepOutput:
        """As `Stepper.step`, for rows of this lane; k is no more than there are ids.

        Raises:
            EngineError: a row names a slot that is not running, or ONNX Runtime failed.
        """
        self._pack()
        grid = self._grid_of(rows.slots)
        positions = self._next_positions[rows.parents]
        self._caches.step(grid, positions, rows.parents, self._grid)
        wanted = np.empty((len(positions), 0), np.int64) if rows.wanted is None else rows.wanted
        feeds = {
            names.LAST_IDS: grid.spread(rows.last_ids),
            names.POSITIONS: grid.spread(positions),
        }
        if self._shortlists is None:
            listed, feeds[names.WANTED_IDS] = NO_TENSORS, wanted
        else:
            feeds[names.WANTED_PLACES] = self._shortlists.columns(grid.sentences, wanted)
            listed = self._shortlists.fit(k)
        if self._states.names:
            feeds[names.PARENTS] = grid.spread(self._origins(rows)).ravel()
        following = self._states.following(grid.n_cells)
        found = self._room(wanted, k, with_attention)
        kept = (
            *(self._memory.tensors, self._states.tensors, self._caches.tensors),
            *(listed, self._ask(Asked(grid, k, with_attention))),
        )
        outputs = found, following, self._caches.outputs
        self._step.run_into(feeds, self._caches.told, kept, outputs)
        self._states.replace(following, grid.n_cells)
        self._remember(grid, rows.slots, positions)
        attention = found.get(names.ATTENTION)
        if attention is not None:
            attention = attention[:, : self._memory.longest].astype(np.float32)
        return StepOutput(
            found[names.TOP_IDS].copy(),
            found[names.TOP_LOG_PROBS].copy(),
            attention,
            found[names.WANTED_LOG_PROBS].copy() if names.WANTED_LOG_PROBS in found else None,
        )

    def retire(self, slots: Sequence[Slot]) -> None:
        """Free sentences of this lane."""
        places = self._places.retire(slots)
        self._memory.retire(places)
        if self._shortlists is not None:
            self._shortlists.retire(places)
        for slot in slots:
            del self._starts[slot]

    def _pack(self) -> None:
        """Where many sentences have left and few have come, let the others move together."""
        kept = self._places.pack()
        if kept is not None:
            self._memory.pack(kept)
            self._caches.pack(kept)
            if self._shortlists is not None:
                self._shortlists.pack(kept)

    def _grid_of(self, slots: Ids) -> Grid:
        """Where these rows stand: as at the last step, where neither they nor places changed."""
        if slots is self._slots and self._changes == self._places.changes:
            return self._grid
        return Grid(self._places.of(slots), len(self._places), self._least_width)

    def _remember(self, grid: Grid, slots: Ids, positions: Ids) -> None:
        self._grid, self._slots, self._changes = grid, slots, self._places.changes
        self._next_positions = np.zeros(len(positions) + 1, np.int64)
        np.add(positions, 1, out=self._next_positions[:-1])

    def _ask(self, asked: "Asked") -> dict[str, Array]:
        """What to compute for whom; the very same object while that does not change."""
        if asked != self._asked or not self._request:
            self._asked = asked
            self._request = {
                names.LIVE: asked.grid.cells,
                names.K: np.array([asked.k]),
                names.WITH_ATTENTION: np.array([asked.with_attention]),
            }
        return self._request

    def _origins(self, rows: Rows) -> Ids:
        """The entry of the replaced states that each row continues."""
        fresh = rows.parents < 0
        origins = np.append(self._grid.cells, 0)[rows.parents]
        origins[fresh] = self._states.begin([self._starts[s] for s in rows.slots[fresh].tolist()])
        return origins

    def _room(self, wanted: Ids, k: int, with_attention: bool) -> dict[str, Array]:
        """Arrays for what a step finds, the last step's where they fit."""
        n_rows = len(wanted)
        best = (n_rows, k)
        shapes: dict[str, tuple[int, ...]] = {names.TOP_IDS: best, names.TOP_LOG_PROBS: best}
        if names.WANTED_LOG_PROBS in self._step.outputs:
            shapes[names.WANTED_LOG_PROBS] = wanted.shape
        if with_attention and names.ATTENTION in self._step.outputs:
            shapes[names.ATTENTION] = n_rows, self._memory.tensors[names.SRC_MASK].shape[1]
        if shapes != self._shapes:
            self._shapes = shapes
            kinds: dict[str, npt.DTypeLike] = {
                names.TOP_IDS: np.int64,
                names.ATTENTION: self._step.home.dtype,
            }
            self._found = {
                name: np.empty(shape, kinds.get(name, np.float32)) for name, shape in shapes.items()
            }
        return self._found


def memory_axes(encoded: Axes) -> Axes:
    """Of those outputs of the encoder graph that decoding reads."""
    return {name: axes for name, axes in encoded.items() if name.startswith(names.MEMORY)}
