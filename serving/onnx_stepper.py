"""Run a bundle's graphs in ONNX Runtime: the Stepper of serving, and of the exporter's parity gate.

The graphs are those of `mt.graph_signature`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import NamedTuple

import numpy as np

from mt import graph_signature as names
from mt.bundle import Bundle
from mt.errors import BundleError, InputError
from mt.shortlist import Shortlist
from mt.stepper import Attention, Device, Footprint, Ids, Rows, Slot, StepOutput
from mt.tokenizer import PAD_ID
from serving.precision import precision_for
from serving.steps.decoder_caches import Axes, DecoderCaches
from serving.steps.decoder_states import DecoderStates
from serving.steps.lane import NOBODY, Lane, memory_axes
from serving.steps.onnx_graph import Array, OnnxGraph
from serving.steps.shortlists import Shortlists


class Listing(NamedTuple):
    """A vocabulary shortlist, and the listing graph that goes with it."""

    shortlist: Shortlist
    graph: OnnxGraph


def open_stepper(
    bundle: Bundle,
    precision: str | None = None,
    threads: int = 1,
    device: Device = "cpu",
    shortlist: bool = False,
) -> "OnnxStepper":
    """Open a bundle's graphs at one of its precisions (None: see `precision_for`).

    shortlist: score no more of the vocabulary than the bundle's shortlist has for a sentence.

    Raises:
        BundleError: no such precision, no shortlist, or a graph is damaged or not of our signature.
        ConfigError: this ONNX Runtime cannot use the device, or the device not the precision.
    """
    precision = precision_for(bundle.manifest, precision, device)
    encoder_file, step_file = bundle.graphs(precision)
    listing = None
    if shortlist:
        listing_file, step_file = bundle.shortlist_graphs(precision)
        listing = Listing(bundle.shortlist(), OnnxGraph.open(listing_file, threads, device))
    encoder, step = (OnnxGraph.open(path, threads, device) for path in (encoder_file, step_file))
    problems = _signature_problems(encoder, step, listing)
    if problems:
        raise BundleError(f"{bundle.folder}: {'; '.join(problems)}; export it again")
    return OnnxStepper(encoder, step, bundle.manifest.vocab_size, listing)


class OnnxStepper:
    """A Stepper over the encoder and step graphs. Not thread-safe: one search owns it.

    What a sentence is answered hangs on no neighbour, to the last bit: see `serving.steps.lane` and
    `serving.steps.decoder_caches`.
    """

    def __init__(
        self,
        encoder: OnnxGraph,
        step: OnnxGraph,
        vocab_size: int,
        listing: Listing | None = None,
    ) -> None:
        """Take graphs of our signature; see `open_stepper`."""
        self._encoder, self._step, self._vocab_size = encoder, step, vocab_size
        self._listing = listing
        self._lanes = [self._lane(least_width=width) for width in (1, 2)]
        self._looks_up = not {names.WANTED_IDS, names.WANTED_PLACES}.isdisjoint(step.inputs)
        self._lane_of: dict[Slot, int] = {}
        self._slots, self._shares = NOBODY, list[tuple[Lane, Ids, Ids]]()  # of the last step
        self._ranks: Ids | None = None  # of the last step's rows in their lanes, where many ran
        self._next_slot = 0

    @property
    def vocab_size(self) -> int:
        """Number of ids."""
        return self._vocab_size

    @property
    def footprint(self) -> Footprint:
        """What the arrays take that are kept for running sentences, padding aside."""
        caches, itemsize = DecoderCaches(self._step.inputs).axes, self._step.home.dtype.itemsize
        return Footprint(
            source_token=itemsize * _numbers_in(memory_axes(self._encoder.outputs)),
            entry=itemsize * _numbers_in(caches),
        )

    def twin(self) -> "OnnxStepper":
        """Another one on the same weights, for another thread."""
        listing = self._listing
        if listing is not None:
            listing = listing._replace(graph=listing.graph.twin())
        return OnnxStepper(self._encoder.twin(), self._step.twin(), self._vocab_size, listing)

    def admit(
        self, src_ids: Sequence[Sequence[int]], most_rows: Sequence[int] | None = None
    ) -> list[Slot]:
        """Encode sentences of any lengths (each ends with eos) beside those already running.

        Raises:
            InputError: a sentence has no ids, or one that is not in the vocabulary.
            EngineError: ONNX Runtime failed.
        """
        if not src_ids:
            return []
        encoded = self._encoder.run({names.SRC_IDS: self._pad(src_ids)})
        slots = list(range(self._next_slot, self._next_slot + len(src_ids)))
        self._next_slot += len(slots)
        lanes = [int(rows > 1) for rows in most_rows or [len(self._lanes)] * len(slots)]
        self._lane_of.update(zip(slots, lanes, strict=True))
        for number, lane in enumerate(self._lanes):
            if here := [i for i, chosen in enumerate(lanes) if chosen == number]:
                lists = self._lists([src_ids[i] for i in here])
                lane.admit([slots[i] for i in here], _rows_of(encoded, here), lists)
        return slots

    def step(self, rows: Rows, k: int, with_attention: bool = False) -> StepOutput:
        """Continue every row by one id; return each row's k best next ids.

        Raises:
            EngineError: a row names a slot that is not running, or ONNX Runtime failed.
        """
        k = min(k, self._vocab_size)
        if self._ranks is not None:
            parents = np.where(rows.parents < 0, -1, np.append(self._ranks, 0)[rows.parents])
            rows = replace(rows, parents=parents)
        busy = [lane for lane in self._lanes if lane.sentences]
        if len(busy) < 2:
            self._ranks = None
            return self._step_in(busy[0] if busy else self._lanes[0], rows, k, with_attention)
        return self._step_apart(rows, k, with_attention)

    def _step_apart(self, rows: Rows, k: int, with_attention: bool) -> StepOutput:
        """Step each lane's rows."""
        if rows.slots is not self._slots:
            self._slots, self._shares = rows.slots, self._share_out(rows.slots)
        self._ranks = np.zeros(len(rows.slots), np.int64)
        outputs = []
        for lane, here, slots in self._shares:
            self._ranks[here] = np.arange(len(here))
            wanted = None if rows.wanted is None else rows.wanted[here]
            own = Rows(slots, rows.parents[here], rows.last_ids[here], wanted)
            outputs.append((here, self._step_in(lane, own, k, with_attention)))
        return _together(outputs)

    def _share_out(self, slots: Ids) -> list[tuple[Lane, Ids, Ids]]:
        """Each lane's rows, and their slots; who does not run goes where that will be said."""
        lanes = np.array([self._lane_of.get(slot, 0) for slot in slots.tolist()])
        shares = [(lane, (lanes == i).nonzero()[0]) for i, lane in enumerate(self._lanes)]
        return [(lane, here, slots[here]) for lane, here in shares if len(here)]

    def _step_in(self, lane: Lane, rows: Rows, k: int, with_attention: bool) -> StepOutput:
        """One lane's step; a graph that looks no ids up is asked for all of them."""
        if rows.wanted is None or self._looks_up:
            return lane.step(rows, k, with_attention)
        return _look_up(lane.step(rows, self._vocab_size, with_attention), k, rows.wanted)

    def retire(self, slots: Sequence[Slot]) -> None:
        """Free sentences whose rows will not be stepped again; their neighbours run on."""
        of_lanes = [(self._lane_of.pop(slot), slot) for slot in slots if slot in self._lane_of]
        for number in {number for number, _ in of_lanes}:
            self._lanes[number].retire([slot for own, slot in of_lanes if own == number])

    def _lane(self, least_width: int) -> Lane:
        shortlists = None
        if self._listing is not None:
            shortlists = Shortlists(self._listing.graph, self._vocab_size)
        return Lane(self._encoder.outputs, self._step, least_width, shortlists)

    def _lists(self, src_ids: Sequence[Sequence[int]]) -> list[Ids]:
        """What each sentence may be translated by; nothing where the whole vocabulary is scored."""
        return [] if self._listing is None else [self._listing.shortlist.of(s) for s in src_ids]

    def _pad(self, src_ids: Sequence[Sequence[int]]) -> Ids:
        """Source ids (batch, src_len), padded on the right."""
        if not all(len(ids) for ids in src_ids):
            raise InputError("a sentence has no tokens; end each with the end-of-sentence id")
        padded = np.full((len(src_ids), max(map(len, src_ids))), PAD_ID, np.int64)
        for row, ids in zip(padded, src_ids, strict=True):
            row[: len(ids)] = ids
        if padded.min() < 0 or padded.max() >= self._vocab_size:
            raise InputError(f"a source id is not in the vocabulary of {self._vocab_size} pieces")
        return padded


def _rows_of(tensors: Mapping[str, Array], rows: Sequence[int]) -> Mapping[str, Array]:
    """Some rows of each tensor, not copied where they are all."""
    n_rows = len(next(iter(tensors.values())))
    return tensors if len(rows) == n_rows else {n: tensor[rows] for n, tensor in tensors.items()}


def _together(outputs: Sequence[tuple[Ids, StepOutput]]) -> StepOutput:
    """What several lanes found, in the order of all rows; each comes with the places of its own."""
    order = np.argsort(np.concatenate([rows for rows, _ in outputs]))
    found = [output for _, output in outputs]
    attentions = [output.attention for output in found if output.attention is not None]
    wanted = [output.wanted for output in found if output.wanted is not None]
    return StepOutput(
        np.concatenate([output.ids for output in found])[order],
        np.concatenate([output.log_probs for output in found])[order],
        _padded(attentions)[order] if attentions else None,
        np.concatenate(wanted)[order] if wanted else None,
    )


def _look_up(every: StepOutput, k: int, wanted: Ids) -> StepOutput:
    """The k best and the wanted, of all ids that there are."""
    by_id = np.empty_like(every.log_probs)
    np.put_along_axis(by_id, every.ids, every.log_probs, axis=1)
    told = np.take_along_axis(by_id, wanted, axis=1)
    return StepOutput(every.ids[:, :k], every.log_probs[:, :k], every.attention, told)


def _padded(attentions: Sequence[Attention]) -> Attention:
    """One below the other (rows, src_len), zero beyond a shorter source."""
    longest = max(attention.shape[1] for attention in attentions)
    padding = [((0, 0), (0, longest - attention.shape[1])) for attention in attentions]
    return np.concatenate([np.pad(a, p) for a, p in zip(attentions, padding, strict=True)])


def _numbers_in(tensors: Mapping[str, Axes]) -> int:
    """Of one entry of the axes that have no fixed size."""
    fixed = ([size for size in axes if isinstance(size, int)] for axes in tensors.values())
    return sum(prod(sizes) for sizes in fixed)


def _signature_problems(encoder: OnnxGraph, step: OnnxGraph, listing: Listing | None) -> list[str]:
    """What keeps graphs from being run by this file, one phrase for each tensor."""
    states = DecoderStates(step.inputs)
    all_states = [*states.names, *DecoderCaches(step.inputs).axes]
    following = {name.replace(names.STATE, names.NEXT, 1) for name in all_states}
    provided = {*names.STEP_INPUTS, *memory_axes(encoder.outputs), *all_states}
    needed = {names.TOP_IDS, names.TOP_LOG_PROBS, *following}
    missing = {
        "the encoder graph reads": encoder.inputs.keys() - {names.SRC_IDS},
        "the encoder graph lacks": {names.SRC_MASK, *states.start_names} - encoder.outputs.keys(),
        "the step graph lacks": needed - step.outputs.keys(),
    }
    if listing is not None:
        provided |= {*names.SHORTLIST_INPUTS, *listing.graph.outputs}
        missing["the listing graph reads"] = listing.graph.inputs.keys() - {names.SHORTLIST_IDS}
    missing["the step graph reads"] = step.inputs.keys() - provided
    return [f"{what} {', '.join(sorted(found))}" for what, found in missing.items() if found]
