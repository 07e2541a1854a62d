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
from serving.steps.home import Home, Host, Tensor
from serving.steps.onnx_file import refusal

Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]
Tensors = Mapping[str, Tensor]  # in a graph's home
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

    On a CPU, arrays are never copied on their way into ONNX Runtime and out of it. On another
    device, what stands in `home` is not; of arrays it gets copies, where they have changed.
    """

    def __init__(self, session: ort.InferenceSession, home: Home) -> None:
        """Take a session and the home of its states; see `open`."""
        self._session, self.home = session, home
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
            opened = cls(session, _home(session, device))
        except OSError as error:
            raise BundleError(f"{path} cannot be read ({error.strerror})") from None
        except UNREADABLE as error:
            raise BundleError(f"{path} is no graph this runtime can run: {_brief(error)}") from None
        if PROVIDERS[device] not in session.get_providers():
            raise ConfigError(f"this ONNX Runtime cannot use {device} here; choose device cpu")
        return opened

    def twin(self) -> "OnnxGraph":
        """The same weights, for another thread; several may run at the same time."""
        return OnnxGraph(self._session, self.home)

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

    def run_into(
        self, feeds: Arrays, told: Arrays, kept: Sequence[Tensors], outputs: Sequence[Tensors]
    ) -> None:
        """Write outputs into tensors of their shapes; what the graph does not read is left.

        `feeds` are small and copied; all others are read where they are. A group that is the very
        same object as last time is known to hold the same arrays; those of `kept` with the same
        numbers, but for what the graph itself has changed. One tensor may be read and written:
        where the graph changes only some of it, the rest is not touched, let alone copied.

        Raises:
            EngineError: ONNX Runtime failed.
        """
        wanted = tuple(name for group in outputs for name in group)
        if wanted not in self._bindings:
            kind = _Binding if isinstance(self.home, Host) else _DeviceBinding
            self._bindings[wanted] = kind(self._session, self.inputs)
        try:
            self._bindings[wanted].run(feeds, told, kept, outputs)
        except ORT_ERRORS as error:
            raise _failure(error) from None


class OnDevice:
    """A home on a device of ONNX Runtime's."""

    def __init__(self, device: str, dtype: npt.DTypeLike) -> None:
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self._device = device

    def put(self, array: Array) -> Tensor:
        """A copy on the device."""
        tensor = self.empty(array.shape)
        if array.size:
            tensor.update_inplace(np.ascontiguousarray(array))
        return tensor

    def fetch(self, tensor: Tensor) -> Array:
        """A copy on the host."""
        return np.array(tensor.numpy())

    def empty(self, shape: Sequence[int]) -> Tensor:
        """Room on the device."""
        return ort.OrtValue.ortvalue_from_shape_and_type(list(shape), self.dtype, self._device)


class _Binding:
    """Arrays bound to a session's inputs and outputs, anew only where they are others."""

    def __init__(self, session: ort.InferenceSession, inputs: Axes) -> None:
        self._session, self._io, self._inputs = session, session.io_binding(), inputs
        self._copies: dict[str, Array] = {}
        self._groups: dict[str, Tensors] = {}
        self._values: dict[str, ort.OrtValue] = {}  # of outputs; they are not kept alive for us

    def run(
        self, feeds: Arrays, told: Arrays, kept: Sequence[Tensors], outputs: Sequence[Tensors]
    ) -> None:
        """As `OnnxGraph.run_into`."""
        for name, array in feeds.items():
            if name in self._inputs:
                self._copy(name, array)
        self._tell(told)
        for number, group in enumerate(kept):
            if self._is_new(f"input {number}", group):
                self._bind_inputs(group)
        for number, group in enumerate(outputs):
            if self._is_new(f"output {number}", group):
                self._bind_outputs(group)
        self._session.run_with_iobinding(self._io)

    def _is_new(self, place: str, group: Tensors) -> bool:
        is_new = group is not self._groups.get(place)
        self._groups[place] = group
        return is_new

    def _copy(self, name: str, array: Array) -> None:
        copy = self._copies.get(name)
        if copy is None or copy.shape != array.shape:
            self._copies[name] = array.copy()
            self._io.bind_cpu_input(name, self._copies[name])
        else:
            np.copyto(copy, array)

    def _tell(self, told: Arrays) -> None:
        if self._is_new("told", told):
            self._bind_inputs(told)

    def _bind_inputs(self, group: Tensors) -> None:
        for name, tensor in group.items():
            if name in self._inputs:
                self._bind_input(name, tensor)

    def _bind_input(self, name: str, tensor: Tensor) -> None:
        self._io.bind_cpu_input(name, tensor)

    def _bind_outputs(self, group: Tensors) -> None:
        for name, tensor in group.items():
            is_value = isinstance(tensor, ort.OrtValue)
            self._values[name] = tensor if is_value else ort.OrtValue.ortvalue_from_numpy(tensor)
            self._io.bind_ortvalue_output(name, self._values[name])


class _DeviceBinding(_Binding):
    """The same for a device, which does not see an array change.

    Binding an array copies it to where the graph wants it, so what may have changed is bound anew.
    """

    def _copy(self, name: str, array: Array) -> None:
        self._copies[name] = array.copy()
        self._io.bind_cpu_input(name, self._copies[name])

    def _tell(self, told: Arrays) -> None:
        self._bind_inputs(told)

    def _bind_input(self, name: str, tensor: Tensor) -> None:
        if isinstance(tensor, ort.OrtValue):
            self._io.bind_ortvalue_input(name, tensor)
        else:
            self._copy(name, tensor)


def _home(session: ort.InferenceSession, device: Device) -> Home:
    """Where this device keeps a graph's states, as what the graph has them."""
    kinds = {value.type for value in session.get_inputs()}
    dtype = np.float16 if "tensor(float16)" in kinds else np.float32
    return Host(dtype) if device == "cpu" else OnDevice(device, dtype)


def _axes(values: Sequence[Any]) -> Axes:
    """Sizes and names of the axes of a graph's inputs or outputs, by name."""
    return {value.name: list(value.shape) for value in values}


def _failure(error: Exception) -> EngineError:
    return EngineError(f"the model failed: {_brief(error)}")


def _brief(error: Exception) -> str:
    """The first line of ONNX Runtime's message, and not too much of it."""
    return " ".join(str(error).splitlines()[:1])[:300]
