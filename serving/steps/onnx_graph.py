"""One graph in ONNX Runtime. The only file that knows that runtime and catches its exceptions."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_state

from mt.errors import BundleError, ConfigError, EngineError
from mt.stepper import Device
from serving.steps.onnx_file import refusal

Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]
Axes = dict[str, list[int | str]]

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
ORT_ERRORS: tuple[type[Exception], ...] = tuple(
    error
    for error in vars(ort_state).values()
    if isinstance(error, type) and issubclass(error, Exception)
)
# Eight times slower on a CPU than the two nodes it replaces.
SLOW_FUSIONS = ["SkipLayerNormFusion"]
UNREADABLE: tuple[type[Exception], ...] = (
    *ORT_ERRORS,
    UnicodeDecodeError,
)  # names that are no UTF-8
FATAL_ONLY = 4  # what ONNX Runtime may print by itself; the rest reaches us as exceptions


class OnnxGraph:
    """A session, with the names and axes of what it reads and gives.

    On a CPU, arrays are never copied on their way into ONNX Runtime and out of it.
    """

    def __init__(self, session: ort.InferenceSession) -> None:
        """Take a session; see `open`."""
        self._session = session
        self.inputs, self.outputs = _axes(session.get_inputs()), _axes(session.get_outputs())
        self._bindings: dict[tuple[str, ...], _Binding] = {}

    @classmethod
    def open(cls, path: Path, threads: int, device: Device) -> "OnnxGraph":
        """Load a graph.

        Raises:
            BundleError: the file cannot be read, or is no graph that may be run.
            ConfigError: this ONNX Runtime cannot use the device.
        """
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = FATAL_ONLY
        try:
            graph = path.read_bytes()
            if (problem := refusal(graph)) is not None:
                raise BundleError(f"{path} {problem}")
            session = ort.InferenceSession(
                graph,
                options,
                providers=[PROVIDERS[device]],
                disabled_optimizers=SLOW_FUSIONS,
                enable_fallback=int(device != "cpu"),  # from it to itself, and it prints
            )
            opened = cls(session)
        except OSError as error:
            raise BundleError(f"{path} cannot be read ({error.strerror})") from None
        except UNREADABLE as error:
            raise BundleError(f"{path} is no graph this runtime can run: {_brief(error)}") from None
        if PROVIDERS[device] not in session.get_providers():
            raise ConfigError(f"this ONNX Runtime cannot use {device} here; choose device cpu")
        return opened

    def twin(self) -> "OnnxGraph":
        """The same weights, for another thread; several may run at the same time."""
        return OnnxGraph(self._session)

    def run(self, feeds: Arrays) -> dict[str, Array]:
        """Every output, in new arrays.

        Raises:
            EngineError: ONNX Runtime failed.
        """
        try:
            found = self._session.run(list(self.outputs), dict(feeds))
        except ORT_ERRORS as error:
            raise _failure(error) from None
        return dict(zip(self.outputs, found, strict=True))

    def run_into(self, feeds: Arrays, kept: Sequence[Arrays], outputs: Sequence[Arrays]) -> None:
        """Write outputs into arrays, which have their shapes; what the graph does not read is left.

        `feeds` are small and copied; the arrays of `kept` are read where they are. A group of kept
        arrays or of outputs that is the very same object as last time is known to hold the same
        arrays. One array may be both: where the graph changes only some of it, the rest is not
        touched, let alone copied.

        Raises:
            EngineError: ONNX Runtime failed.
        """
        wanted = tuple(name for group in outputs for name in group)
        if wanted not in self._bindings:
            self._bindings[wanted] = _Binding(self._session, self.inputs)
        try:
            self._bindings[wanted].run(feeds, kept, outputs)
        except ORT_ERRORS as error:
            raise _failure(error) from None


class _Binding:
    """Arrays bound to a session's inputs and outputs, anew only where they are others."""

    def __init__(self, session: ort.InferenceSession, inputs: Axes) -> None:
        self._session, self._io, self._inputs = session, session.io_binding(), inputs
        self._copies: dict[str, Array] = {}
        self._groups: dict[int, Arrays] = {}
        self._values: dict[str, ort.OrtValue] = {}  # of outputs; they are not kept alive for us

    def run(self, feeds: Arrays, kept: Sequence[Arrays], outputs: Sequence[Arrays]) -> None:
        for name, array in feeds.items():
            if name in self._inputs:
                self._copy(name, array)
        for number, group in enumerate((*kept, *outputs)):
            if group is not self._groups.get(number):
                self._groups[number] = group
                self._bind(group, number < len(kept))
        self._session.run_with_iobinding(self._io)

    def _copy(self, name: str, array: Array) -> None:
        copy = self._copies.get(name)
        if copy is None or copy.shape != array.shape:
            self._copies[name] = array.copy()
            self._io.bind_cpu_input(name, self._copies[name])
        else:
            np.copyto(copy, array)

    def _bind(self, group: Arrays, are_inputs: bool) -> None:
        for name, array in group.items():
            if not are_inputs:
                self._values[name] = ort.OrtValue.ortvalue_from_numpy(array)
                self._io.bind_ortvalue_output(name, self._values[name])
            elif name in self._inputs:
                self._io.bind_cpu_input(name, array)


def _axes(values: Sequence[Any]) -> Axes:
    """Sizes and names of the axes of a graph's inputs or outputs, by name."""
    return {value.name: list(value.shape) for value in values}


def _failure(error: Exception) -> EngineError:
    return EngineError(f"the model failed: {_brief(error)}")


def _brief(error: Exception) -> str:
    """The first line of ONNX Runtime's message, and not too much of it."""
    return " ".join(str(error).splitlines()[:1])[:300]
