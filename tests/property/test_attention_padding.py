"""Attention in ONNX Runtime adds up alike in every length that axes are padded to."""

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from serving.steps.padding import VECTOR, padded

LONGEST = 65  # entries; beyond, the kernels' loops only go round more often
DRAWS = 2


def attention(n_heads: int, d_head: int, inputs: list[str]) -> ort.InferenceSession:
    """One node of a step graph; `inputs` are those it has beside queries, keys and values."""
    floats, d_model = TensorProto.FLOAT, n_heads * d_head
    values: dict[str, tuple[int, list[str | int]]] = {
        "query": (floats, ["b", "w", d_model]),
        "keys": (floats, ["b", n_heads, "n", d_head]),
        "values": (floats, ["b", n_heads, "n", d_head]),
        "bias": (floats, ["b", 1, "w", "n"]),
        "mask": (TensorProto.INT32, ["b", "n"]),
    }
    names = ["query", "keys", "values", *inputs]
    node = helper.make_node(
        "MultiHeadAttention", names, ["context"], domain="com.microsoft", num_heads=n_heads
    )
    given = [helper.make_tensor_value_info(name, *values[name]) for name in names if name]
    found = [helper.make_tensor_value_info("context", floats, ["b", "w", d_model])]
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
    graph = helper.make_graph([node], "attention", given, found)
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(model.SerializeToString(), options)


@pytest.mark.parametrize("inputs", [["", "", "bias"], ["", "mask"]], ids=["own past", "source"])
@pytest.mark.parametrize("sizes", [(4, 32), (8, 64)], ids=str)
@pytest.mark.parametrize("width", [1, 2, 5])
def test_whole_vectors_of_padding_change_no_bit(
    inputs: list[str], sizes: tuple[int, int], width: int
) -> None:
    session, draw = attention(*sizes, inputs), np.random.default_rng(0)
    n_heads, d_head = sizes
    for used in [*range(1, LONGEST)] * DRAWS:
        most = padded(used) + 3 * VECTOR
        query = draw.normal(size=(1, width, n_heads * d_head)).astype(np.float32)
        keys, values = draw.normal(size=(2, 1, n_heads, most, d_head)).astype(np.float32)
        contexts = set()
        for length in range(padded(used), most + 1, VECTOR):
            seen = np.arange(length) < used
            bias = np.where(seen, 0, -np.inf).astype(np.float32)
            told = {
                "bias": np.tile(bias, (1, 1, width, 1)),
                "mask": seen[None].astype(np.int32),
            }
            feeds = {"query": query, "keys": keys[:, :, :length], "values": values[:, :, :length]}
            feeds |= {name: told[name] for name in inputs if name}
            (context,) = session.run(None, feeds)
            contexts.add(context.tobytes())
        assert len(contexts) == 1, f"{used} entries"
