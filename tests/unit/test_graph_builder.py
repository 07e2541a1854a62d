"""Each node the builder writes computes what numpy or PyTorch does."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from torch import nn

from training.export.graph import Arithmetic, GraphBuilder
from training.export.quantize import WEIGHT_LIMIT, Range, quantize_weight

Array = np.ndarray


def run(graph: GraphBuilder, **feeds: Array) -> list[Array]:
    model = graph.model()
    onnx.checker.check_model(model, full_check=True)
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return list(session.run(None, feeds))


def linear(d_in: int, d_out: int, bias: bool = True) -> nn.Linear:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return nn.Linear(d_in, d_out, bias=bias)


def with_output(graph: GraphBuilder, value: str, axes: list[int | str]) -> GraphBuilder:
    graph.output(graph.op("Identity", value, name="y"), np.float32, axes)
    return graph


X = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)


def test_layers_side_by_side_equal_each_alone() -> None:
    graph = GraphBuilder("g")
    x = graph.input("x", np.float32, ["n", 4])
    layers = linear(4, 3), linear(4, 2, bias=False)
    (y,) = run(with_output(graph, graph.linear(x, *layers), ["n", 5]), x=X)
    wanted = torch.cat([layer(torch.from_numpy(X)) for layer in layers], 1).detach().numpy()
    np.testing.assert_allclose(y, wanted, atol=1e-6)


def test_a_bias_of_ones_own_replaces_the_layers() -> None:
    graph, layer = GraphBuilder("g"), linear(4, 3)
    x = graph.input("x", np.float32, ["n", 4])
    bias = np.array([0, -np.inf, 1], np.float32)
    (y,) = run(with_output(graph, graph.linear(x, layer, bias=bias), ["n", 3]), x=X)
    np.testing.assert_allclose(y, X @ layer.weight.detach().numpy().T + bias, atol=1e-6)


def test_a_scan_hands_out_every_state() -> None:
    graph, half = GraphBuilder("g"), np.float32(0.5)
    x = graph.input("x", np.float32, ["n", 4])
    start = graph.constant(np.zeros(5, np.float32))

    def step(state: str, column: str) -> str:
        return graph.op("Add", graph.op("Mul", state, graph.constant(half)), column)

    (y,) = run(with_output(graph, graph.scan(step, start, x, axis=1), ["n", 4]), x=X)
    wanted, state = [], np.zeros(5, np.float32)
    for column in X.T:
        state = state / 2 + column
        wanted.append(state)
    np.testing.assert_allclose(y, np.stack(wanted, 1), atol=1e-6)


def test_layer_norm_equals_pytorch() -> None:
    graph, layer = GraphBuilder("g"), nn.LayerNorm(4, eps=1e-3)
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)
    x = graph.input("x", np.float32, ["n", 4])
    (y,) = run(with_output(graph, graph.norm(x, layer), ["n", 4]), x=X)
    np.testing.assert_allclose(y, layer(torch.from_numpy(X)).detach().numpy(), atol=1e-5)


def test_reshape_takes_numbers_and_sizes_of_other_values() -> None:
    graph = GraphBuilder("g")
    x = graph.input("x", np.float32, ["n", 4])
    y = graph.reshape(graph.reshape(x, -1, 2), graph.size(x, 0), 2, 2)
    (found,) = run(with_output(graph, y, ["n", 2, 2]), x=X)
    np.testing.assert_array_equal(found, X.reshape(5, 2, 2))


@pytest.mark.parametrize(("asked", "shape"), [(True, (5, 4)), (False, (0, 0))])
def test_a_branch_is_computed_only_where_its_condition_holds(
    asked: bool, shape: tuple[int, int]
) -> None:
    graph = GraphBuilder("g")
    x = graph.input("x", np.float32, ["n", 4])
    condition = graph.input("asked", np.bool_, [1])
    graph.when(condition, lambda: graph.op("Add", x, graph.constant(1, np.float32)), "y")
    graph.output("y", np.float32, ["n", "d"])
    (y,) = run(graph, x=X, asked=np.array([asked]))
    assert y.shape == shape
    assert not asked or np.array_equal(y, X + 1)


def test_equal_constants_are_stored_once() -> None:
    graph = GraphBuilder("g")
    table = torch.ones(3, 2)
    assert graph.weight(table) == graph.weight(table.clone())
    assert graph.weight(table) != graph.weight(table * 2)
    assert graph.constant(1, np.int64) != graph.constant([1], np.int64)
    assert len(graph.model().graph.initializer) == 4


def int8_linear(layer: nn.Linear, found: Range, x: Array) -> Array:
    graph = GraphBuilder("g", Arithmetic({layer: found}))
    name = graph.input("x", np.float32, ["n", layer.in_features])
    y = graph.linear(name, layer)
    (result,) = run(with_output(graph, y, ["n", layer.out_features]), x=x)
    return result


@pytest.mark.parametrize("rows", [1, 2, 7, 40])
@pytest.mark.parametrize("sign", [1, -1])
def test_int8_sums_are_exact_at_the_extremes(rows: int, sign: int) -> None:
    """All activations at 255 and all weights at +-64: where CPUs without VNNI would saturate."""
    d_in, d_out = 512, 33
    layer = nn.Linear(d_in, d_out, bias=False)
    nn.init.constant_(layer.weight, sign * 1.0)
    x = np.full((rows, d_in), 2.0, np.float32)
    y = int8_linear(layer, Range(0.0, 2.0), x)
    exact = d_in * 255 * sign * WEIGHT_LIMIT  # in integers
    wanted = np.float32(exact) * np.float32(2 / 255) * np.float32(1 / WEIGHT_LIMIT)
    np.testing.assert_allclose(y, np.full((rows, d_out), wanted), rtol=1e-6)


@pytest.mark.parametrize("rows", [1, 3, 16])
def test_int8_equals_integer_arithmetic(rows: int) -> None:
    layer, found = linear(96, 40), Range(-1.5, 2.5)
    x = np.random.default_rng(rows).normal(size=(rows, 96)).astype(np.float32) * 2
    quantized = np.clip(np.rint(x / found.scale) + found.zero_point, 0, 255).astype(np.int64)
    weight, scales = quantize_weight(layer.weight.detach().numpy())
    sums = (quantized - int(found.zero_point)) @ weight.astype(np.int64).T
    wanted = sums * (found.scale * scales) + layer.bias.detach().numpy()
    np.testing.assert_allclose(int8_linear(layer, found, x), wanted, rtol=1e-5, atol=1e-5)


def test_int8_rows_do_not_depend_on_their_neighbours() -> None:
    layer, found = linear(64, 48), Range(-3.0, 3.0)
    x = np.random.default_rng(2).normal(size=(30, 64)).astype(np.float32)
    loud = np.concatenate([x, np.full((9, 64), 1e6, np.float32)])
    together, alone = int8_linear(layer, found, loud)[:30], int8_linear(layer, found, x[4:5])
    np.testing.assert_array_equal(together, int8_linear(layer, found, x))
    np.testing.assert_array_equal(together[4:5], alone)


def test_layers_of_the_same_input_and_range_quantise_it_once() -> None:
    a, b, found = linear(4, 3), linear(4, 2), Range(-1.0, 1.0)
    graph = GraphBuilder("g", Arithmetic({a: found, b: found}))
    x = graph.input("x", np.float32, ["n", 4])
    graph.linear(x, a)
    graph.linear(x, b)
    assert [node.op_type for node in graph.model().graph.node].count("QuantizeLinear") == 1
