"""Run a bundle's graphs in ONNX Runtime: the Stepper of serving, and of the exporter's parity gate.

The graphs are those of `mt.graph_signature`, version 1. This is the only file that knows ONNX
Runtime, and the only one that catches its exceptions.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_state

from mt import graph_signature as names
from mt.bundle import Bundle
from mt.errors import BundleError, ConfigError, EngineError, InputError
from mt.stepper import Ids, Rows, Slot, StepOutput
from mt.tokenizer import PAD_ID
from serving.decoder_state import DecoderState
from serving.encoder_memory import EncoderMemory
from serving.hypothesis_grid import EMPTY, Grid

Device = Literal["cpu", "cuda"]
Arrays = dict[str, npt.NDArray[Any]]
Axes = dict[str, list[int | str]]

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
ORT_ERRORS: tuple[type[Exception], ...] = tuple(
    error
    for error in vars(ort_state).values()
    if isinstance(error, type) and issubclass(error, Exception)
)
FATAL_ONLY = 4  # what ONNX Runtime may print by itself; the rest reaches us as exceptions
# A tensor kept outside its graph names the file under this key. Our graphs hold all their weights;
# a foreign one must not make us read a file that the manifest does not vouch for.
EXTERNAL_DATA = b"location"


def open_stepper(
    bundle: Bundle, precision: str | None = None, threads: int = 1, device: Device = "cpu"
) -> "OnnxStepper":
    """Open a bundle's graphs at one of its precisions (None: the manifest's default).

    Raises:
        BundleError: no such precision, or a graph is damaged or not of our signature.
        ConfigError: this ONNX Runtime cannot use the device.
    """
    encoder, step = (_open_session(path, threads, device) for path in bundle.graphs(precision))
    problems = _signature_problems(encoder, step)
    if problems:
        raise BundleError(f"{bundle.folder}: {'; '.join(problems)}; export it again")
    return OnnxStepper(encoder, step, bundle.manifest.vocab_size)


class OnnxStepper:
    """A Stepper over the encoder and step graphs. Not thread-safe: one search owns it.

    On a CPU, arrays are never copied on their way into ONNX Runtime and out of it.
    """

    def __init__(
        self, encoder: ort.InferenceSession, step: ort.InferenceSession, vocab_size: int
    ) -> None:
        """Take two sessions whose graphs are of our signature; see `open_stepper`."""
        self._encoder, self._step, self._vocab_size = encoder, step, vocab_size
        self._inputs, self._outputs = _axes(step.get_inputs()), _axes(step.get_outputs())
        self._encoded = _axes(encoder.get_outputs())
        memory = {n: a for n, a in self._encoded.items() if n.startswith(names.MEMORY)}
        self._memory = EncoderMemory({n: a.index(names.SRC_LEN) for n, a in memory.items()})
        self._state = DecoderState(self._inputs)
        self._starts: dict[Slot, Arrays] = {}
        self._grid = EMPTY  # of the last step
        self._next_slot = 0

    @property
    def vocab_size(self) -> int:
        """Number of ids."""
        return self._vocab_size

    def admit(self, src_ids: Sequence[Sequence[int]]) -> list[Slot]:
        """Encode sentences of any lengths (each ends with eos) beside those already running.

        Raises:
            InputError: a sentence has no ids, or one that is not in the vocabulary.
            EngineError: ONNX Runtime failed.
        """
        if not src_ids:
            return []
        encoded = _run(self._encoder, list(self._encoded), {names.SRC_IDS: self._pad(src_ids)})
        slots = list(range(self._next_slot, self._next_slot + len(src_ids)))
        self._next_slot += len(slots)
        self._memory.admit(slots, {n: encoded[n] for n in encoded if n.startswith(names.MEMORY)})
        for i, slot in enumerate(slots):
            self._starts[slot] = {n: encoded[n][i : i + 1] for n in self._state.start_names}
        return slots

    def step(self, rows: Rows, k: int, with_attention: bool = False) -> StepOutput:
        """Continue every row by one id; return each row's k best next ids.

        Raises:
            EngineError: a row names a slot that is not running, or ONNX Runtime failed.
        """
        memory = self._memory.tensors()
        places, fresh = self._memory.places(rows.slots), rows.parents < 0
        positions = np.where(fresh, 0, _take(self._grid.positions, rows.parents) + 1)
        origins = _take(self._grid.cells, rows.parents)
        origins[fresh] = self._state.begin([self._starts[s] for s in rows.slots[fresh].tolist()])
        self._state.trim(int(positions.max(initial=0)))
        grid = Grid(places, positions, self._memory.n_sentences)
        feeds = memory | self._state.tensors | self._layout(grid, rows.last_ids, origins)
        feeds[names.K] = np.array([min(k, self._vocab_size)])
        feeds[names.WITH_ATTENTION] = np.array([with_attention])
        done = _run(self._step, self._wanted(with_attention), self._known(feeds))
        self._state.replace(done)
        self._grid = grid
        return StepOutput(done[names.TOP_IDS], done[names.TOP_LOG_PROBS], done.get(names.ATTENTION))

    def retire(self, slots: Sequence[Slot]) -> None:
        """Free sentences whose rows will not be stepped again; their neighbours run on."""
        self._memory.retire(slots)
        for slot in slots:
            self._starts.pop(slot, None)

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

    def _layout(self, grid: Grid, last_ids: Ids, origins: Ids) -> Arrays:
        """The integers that tell the step graph which cell is what."""
        shape = (grid.n_sentences, grid.width)
        return {
            names.LAST_IDS: grid.spread(last_ids).reshape(shape),
            names.POSITIONS: grid.spread(grid.positions).reshape(shape),
            names.PARENTS: grid.spread(origins),
            names.LIVE: grid.cells,
        }

    def _known(self, feeds: Arrays) -> Arrays:
        """Those that the step graph reads."""
        return {name: array for name, array in feeds.items() if name in self._inputs}

    def _wanted(self, with_attention: bool) -> list[str]:
        """The step graph's outputs that are used."""
        unused = set() if with_attention else {names.ATTENTION}
        return [name for name in self._outputs if name not in unused]


def _take(values: Ids, parents: Ids) -> Ids:
    """values[parents] (rows,); anything where a row has no parent."""
    return np.append(values, 0)[parents]  # the parent of a new row is -1


def _axes(values: Sequence[Any]) -> Axes:
    """Sizes and names of the axes of a graph's inputs or outputs, by name."""
    return {value.name: list(value.shape) for value in values}


def _open_session(path: Path, threads: int, device: Device) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = FATAL_ONLY
    try:
        graph = path.read_bytes()
        if EXTERNAL_DATA in graph:
            raise BundleError(f"{path} keeps weights outside the graph, which is not allowed")
        session = ort.InferenceSession(graph, options, providers=[PROVIDERS[device]])
    except OSError as error:
        raise BundleError(f"{path} cannot be read ({error.strerror})") from None
    except ORT_ERRORS as error:
        raise BundleError(f"{path} is no graph this runtime can run: {_brief(error)}") from None
    if PROVIDERS[device] not in session.get_providers():
        raise ConfigError(f"this ONNX Runtime cannot use {device} here; choose device cpu")
    return session


def _run(session: ort.InferenceSession, outputs: list[str], feeds: Arrays) -> Arrays:
    try:
        return dict(zip(outputs, session.run(outputs, feeds), strict=True))
    except ORT_ERRORS as error:
        raise EngineError(f"the model failed: {_brief(error)}") from None


def _brief(error: Exception) -> str:
    """The first line of ONNX Runtime's message, and not too much of it."""
    return " ".join(str(error).splitlines()[:1])[:300]


def _signature_problems(encoder: ort.InferenceSession, step: ort.InferenceSession) -> list[str]:
    """What keeps two graphs from being run by this file, one phrase for each tensor."""
    encoded, step_inputs = _axes(encoder.get_outputs()), _axes(step.get_inputs())
    state = DecoderState(step_inputs)
    memory = {name for name in encoded if name.startswith(names.MEMORY)}
    provided = {*names.STEP_INPUTS, *memory, *state.tensors}
    needed = {names.TOP_IDS, names.TOP_LOG_PROBS, *state.next_names}
    missing = {
        "the encoder graph reads": _axes(encoder.get_inputs()).keys() - {names.SRC_IDS},
        "the step graph reads": step_inputs.keys() - provided,
        "the encoder graph lacks": {names.SRC_MASK, *state.start_names} - encoded.keys(),
        "the step graph lacks": needed - _axes(step.get_outputs()).keys(),
    }
    return [f"{what} {', '.join(sorted(found))}" for what, found in missing.items() if found]
