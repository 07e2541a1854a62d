"""Write an ONNX graph node by node, the weights in place.

What a graph computes in is its `Arithmetic`: 32-bit floats, 16-bit ones, or 8-bit integers where
that pays. Whatever is chosen, sums over many values (softmax, norms) are made in 32 bits.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper
from torch import Tensor, nn

from training.export.quantize import Range, quantize_weight

OPSET = 20  # the first with Gelu; ONNX Runtime 1.17 and later run it
IR_VERSION = 10
MICROSOFT = "com.microsoft"  # operators of ONNX Runtime itself
MICROSOFT_VERSION = 1

Floats = npt.NDArray[np.float32]
Axes = Sequence[int | str]
Ranges = Mapping[nn.Module, Range]  # of what each linear layer reads


@dataclass(frozen=True)
class Arithmetic:
    """What a graph computes in.

    ranges: the linear layers that compute in 8 bits; floats: the type of all that is no integer.
    """

    ranges: Ranges = field(default_factory=dict)
    floats: type[np.floating[Any]] = np.float32


SINGLE, HALF = Arithmetic(), Arithmetic(floats=np.float16)


class GraphBuilder:
    """A graph being written: each call adds nodes and returns the name of their output."""

    def __init__(self, name: str, arithmetic: Arithmetic = SINGLE) -> None:
        """Start an empty graph; `floats` and `element` are its floats' type, as ONNX has it too."""
        self._name = name
        self._ranges = arithmetic.ranges
        self.floats = arithmetic.floats
        self.element = helper.np_dtype_to_tensor_dtype(np.dtype(self.floats))
        self._nodes: list[onnx.NodeProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._quantized: dict[tuple[str, Range], str] = {}
        self._count = 0

    def input(self, name: str, dtype: npt.DTypeLike, axes: Axes) -> str:
        """Declare an input; an axis is a size or the name of one."""
        self._inputs.append(_value_info(name, dtype, axes))
        return name

    def output(self, name: str, dtype: npt.DTypeLike, axes: Axes) -> None:
        """Declare that the value `name` leaves the graph."""
        self._outputs.append(_value_info(name, dtype, axes))

    def constant(self, value: npt.ArrayLike, dtype: npt.DTypeLike | None = None) -> str:
        """A constant; equal ones are stored once, so tied weights stay tied."""
        array = np.ascontiguousarray(np.asarray(value, dtype)).reshape(np.shape(value))
        digest = hashlib.sha256(array.tobytes()).hexdigest()[:16]
        name = f"{array.dtype}_{'x'.join(map(str, array.shape))}_{digest}"
        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(array, name)
        return name

    def number(self, value: npt.ArrayLike) -> str:
        """A constant of the graph's type of floats."""
        return self.constant(value, self.floats)

    def weight(self, tensor: Tensor) -> str:
        """A parameter as a constant."""
        return self.number(array_of(tensor))

    def zeros(self, shape: str, name: str = "") -> str:
        """Zeros of a shape that is computed."""
        zero = numpy_helper.from_array(np.zeros(1, self.floats))
        return self.op("ConstantOfShape", shape, value=zero, name=name)

    def widen(self, x: str) -> str:
        """Floats as float32."""
        return x if self.floats is np.float32 else self.op("Cast", x, to=onnx.TensorProto.FLOAT)

    def narrow(self, x: str) -> str:
        """A float32 value as the graph's floats."""
        return x if self.floats is np.float32 else self.op("Cast", x, to=self.element)

    def softmax(self, x: str) -> str:
        """Over the last axis, summed in float32."""
        return self.narrow(self.op("Softmax", self.widen(x), axis=-1))

    def log_softmax(self, x: str) -> str:
        """Over the last axis, float32 whatever the graph's floats are."""
        return self.op("LogSoftmax", self.widen(x), axis=-1)

    def op(
        self, op_type: str, *inputs: str, name: str = "", domain: str = "", **attrs: object
    ) -> str:
        """One node with one output, called `name` or a fresh name."""
        output = name or self._fresh(op_type)
        self._add(op_type, inputs, [output], domain, attrs)
        return output

    def ops(
        self,
        op_type: str,
        *inputs: str,
        outputs: int = 1,
        names: Sequence[str] = (),
        domain: str = "",
        **attrs: object,
    ) -> list[str]:
        """One node with several outputs, called `names` where given."""
        made = [*names, *(self._fresh(op_type) for _ in range(outputs - len(names)))]
        self._add(op_type, inputs, made, domain, attrs)
        return made

    def when(self, condition: str, then: Callable[[], str], name: str) -> str:
        """Compute a matrix of floats only where `condition` (1,) holds; an empty one otherwise."""
        zero = self.constant([0, 0])
        chosen = self._subgraph("then", [], lambda: [then()])
        empty = self._subgraph("else", [], lambda: [self.zeros(zero)])
        return self.op("If", condition, name=name, then_branch=chosen, else_branch=empty)

    def scan(self, step: Callable[[str, str], str], state: str, inputs: str, axis: int) -> str:
        """Run state = step(state, input) along one axis of inputs; the states, stacked."""
        before, one_input = self._fresh("state"), self._fresh("input")

        def build() -> list[str]:
            after = step(before, one_input)
            return [after, self.op("Identity", after)]  # carried on, and handed out

        body = self._subgraph("step", [before, one_input], build)
        _, states = self.ops(
            "Scan",
            *(state, inputs),
            outputs=2,
            body=body,
            num_scan_inputs=1,
            scan_input_axes=[axis],
            scan_output_axes=[axis],
        )
        return states

    def reshape(self, x: str, *axes: int | str, name: str = "") -> str:
        """Give `x` new axes: a size (0 copies, -1 infers), or the name of a vector of sizes."""
        if all(isinstance(axis, int) for axis in axes):
            return self.op("Reshape", x, self.constant(axes, np.int64), name=name)
        parts = [a if isinstance(a, str) else self.constant([a], np.int64) for a in axes]
        return self.op("Reshape", x, self.op("Concat", *parts, axis=0), name=name)

    def size(self, x: str, axis: int) -> str:
        """The size of one axis, (1,) int64."""
        return self.op("Shape", x, start=axis, end=axis + 1)

    def linear(
        self, x: str, *layers: nn.Linear, bias: Floats | None = None, flat: bool = True
    ) -> str:
        """Layers that read the same x (..., d_in), side by side: (..., sum of their d_out).

        `bias` (d_out,) stands in for their own. In 8 bits where the first layer has a range. A
        `flat` x is (n, d_in), for which there is one operator where that is in floats.
        """
        weight = np.concatenate([array_of(layer.weight) for layer in layers])
        if bias is None:
            bias = np.concatenate([_bias_of(layer) for layer in layers])
        if layers[0] in self._ranges:
            integers, scales = quantize_weight(weight)
            parts = self.constant(integers.T), self.constant(scales), self.constant(bias)
            return self.linear_int8(x, self._ranges[layers[0]], *parts)
        if flat:
            return self.op("Gemm", x, self.number(weight), self.number(bias), transB=1)
        return self.op("Add", self.op("MatMul", x, self.number(weight.T)), self.number(bias))

    def linear_int8(self, x: str, found: Range, weight: str, scales: str, bias: str) -> str:
        """Multiply x, in 8 unsigned bits, by a weight (d_in, d_out) in signed 8."""
        scale, zero_point = self.constant(found.scale), self.constant(found.zero_point)
        if (x, found) not in self._quantized:
            self._quantized[x, found] = self.op("QuantizeLinear", x, scale, zero_point)
        return self.op(
            "MatMulIntegerToFloat",
            *(self._quantized[x, found], weight, scale, scales, zero_point),
            "",  # weights are symmetric: their zero point is 0
            bias,
            domain=MICROSOFT,
        )

    def range_of(self, layer: nn.Module) -> Range | None:
        """The range of what a layer reads, where it computes in 8 bits."""
        return self._ranges.get(layer)

    def cuts_negative(self, layer: nn.Module) -> bool:
        """Whether a layer reads its input in 8 unsigned bits that begin at 0."""
        return layer in self._ranges and int(self._ranges[layer].zero_point) == 0

    def norm(self, x: str, layer: nn.Module) -> str:
        """Layer or RMS normalisation over the last axis; x as it is for an identity."""
        if isinstance(layer, nn.LayerNorm):
            weight, bias = self.weight(layer.weight), self.weight(layer.bias)
            return self.op("LayerNormalization", x, weight, bias, epsilon=layer.eps, axis=-1)
        if isinstance(layer, nn.RMSNorm):
            return self._rms_norm(x, layer)
        return x

    def _rms_norm(self, x: str, layer: nn.RMSNorm) -> str:
        """Zhang and Sennrich 2019, equation 4; ONNX Runtime knows the pattern and fuses it."""
        x = self.widen(x)
        square = self.op("Pow", x, self.constant(2, np.float32))
        mean = self.op("ReduceMean", square, self.constant([-1]))
        mean = self.op("Add", mean, self.constant(layer.eps or 0.0, np.float32))
        normal = self.narrow(self.op("Div", x, self.op("Sqrt", mean)))
        return self.op("Mul", normal, self.weight(layer.weight))

    def model(self) -> onnx.ModelProto:
        """The finished graph."""
        graph = helper.make_graph(
            self._nodes, self._name, self._inputs, self._outputs, list(self._constants.values())
        )
        domains = {node.domain for node in self._nodes}
        opsets = [helper.make_opsetid("", OPSET)]
        if MICROSOFT in domains:
            opsets.append(helper.make_opsetid(MICROSOFT, MICROSOFT_VERSION))
        return helper.make_model(
            graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="seq2serve"
        )

    def _subgraph(
        self, name: str, inputs: Sequence[str], build: Callable[[], list[str]]
    ) -> onnx.GraphProto:
        """The nodes that `build` adds, as a graph of their own; constants stay in the outer one."""
        outer, self._nodes = self._nodes, []
        outputs = build()
        inner, self._nodes = self._nodes, outer

        def values(names: Sequence[str]) -> list[onnx.ValueInfoProto]:
            return [helper.make_tensor_value_info(n, self.element, None) for n in names]

        return helper.make_graph(inner, name, values(inputs), values(outputs))

    def _add(
        self,
        op_type: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        domain: str,
        attrs: Mapping[str, object],
    ) -> None:
        node_name = f"{op_type}_{self._count}"
        node = helper.make_node(op_type, inputs, outputs, node_name, domain=domain)
        node.attribute.extend(helper.make_attribute(key, attrs[key]) for key in sorted(attrs))
        self._nodes.append(node)
        self._count += 1

    def _fresh(self, op_type: str) -> str:
        self._count += 1
        return f"{op_type.lower()}_{self._count}"


def array_of(tensor: Tensor) -> Floats:
    """A parameter's numbers, float32."""
    return tensor.detach().float().cpu().numpy()


def _bias_of(layer: nn.Linear) -> Floats:
    if layer.bias is None:
        return np.zeros(layer.out_features, np.float32)
    return array_of(layer.bias)


def _value_info(name: str, dtype: npt.DTypeLike, axes: Axes) -> onnx.ValueInfoProto:
    element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return helper.make_tensor_value_info(name, element, list(axes))
