"""A bundle whose graphs say the source back: real files, real ONNX Runtime, nothing learned."""

import io
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
from onnx import GraphProto, TensorProto, checker, helper, numpy_helper

from mt import bundle
from mt import graph_signature as names
from mt.tokenizer import BOS_ID, EOS_ID, PAD_ID, UNK_ID

OPSET = 17
SENTENCES = (
    "Jane visite l'Afrique en septembre.",
    "Jane visits Africa in September.",
    "Il ne mange pas. Elle dort.",
    "He does not eat. She sleeps.",
)


@cache
def echo_tokenizer() -> bytes:
    """A SentencePiece model that can spell anything, byte by byte where it must."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES),
        model_writer=model,
        vocab_size=320,
        hard_vocab_limit=False,
        byte_fallback=True,
        pad_id=PAD_ID,
        unk_id=UNK_ID,
        bos_id=BOS_ID,
        eos_id=EOS_ID,
        minloglevel=2,
    )
    return model.getvalue()


def write_echo_bundle(folder: Path, busy: int = 0, **facts: Any) -> bundle.Bundle:
    """Write the bundle; `facts` replace fields of the manifest.

    `busy` makes every step slow: it multiplies two matrices of that many rows and columns.
    """
    tokenizer = echo_tokenizer()
    vocab_size = sentencepiece.SentencePieceProcessor(model_proto=tokenizer).get_piece_size()
    files = {
        "tokenizer.model": tokenizer,
        "MODEL_CARD.md": b"# Echo\n",
        "encoder.onnx": _model(_encoder()),
        "step.onnx": _model(_step(vocab_size, busy)),
    }
    return bundle.write(folder, files, _manifest(vocab_size) | facts)


def _manifest(vocab_size: int) -> dict[str, Any]:
    score = {"metric": "BLEU", "value": 31.25, "signature": "nrefs:1|case:mixed", "test_set": "t"}
    return {
        "name": "echo",
        "family": "transformer",
        "source_language": "fr",
        "target_language": "en",
        "vocab_size": vocab_size,
        "special_ids": {"pad": PAD_ID, "unk": UNK_ID, "bos": BOS_ID, "eos": EOS_ID},
        "max_source_tokens": 256,
        "max_target_tokens": 256,
        "parameters": 0,
        "opset": OPSET,
        "graphs": {"fp32": {"encoder": "encoder.onnx", "step": "step.onnx"}},
        "default_precision": "fp32",
        "recipe": {},
        "checkpoint_sha256": "0" * 64,
        "data": {"name": "echo", "licence": "CC0-1.0", "sha256": {}, "train_pairs": 0},
        "scores": [score],
    }


def _encoder() -> GraphProto:
    nodes = [
        helper.make_node("Identity", [names.SRC_IDS], ["memory.ids"]),
        helper.make_node("Equal", [names.SRC_IDS, "pad"], ["is_pad"]),
        helper.make_node("Not", ["is_pad"], [names.SRC_MASK]),
        helper.make_node("ReduceMax", ["zeros"], ["start.nothing"], axes=[1], keepdims=1),
        helper.make_node("Cast", [names.SRC_IDS], ["zeros"], to=TensorProto.FLOAT),
    ]
    nodes[3], nodes[4] = nodes[4], nodes[3]
    return helper.make_graph(
        nodes,
        "encoder",
        [_info(names.SRC_IDS, TensorProto.INT64, "batch", "src_len")],
        [
            _info("memory.ids", TensorProto.INT64, "batch", "src_len"),
            _info(names.SRC_MASK, TensorProto.BOOL, "batch", "src_len"),
            _info("start.nothing", TensorProto.FLOAT, "batch", 1),
        ],
        [_constant("pad", np.int64(PAD_ID))],
    )


def _step(vocab_size: int, busy: int) -> GraphProto:
    """The id at a hypothesis's position in its source, with nearly all the probability."""
    node = helper.make_node
    nodes = [
        node("Shape", [names.LAST_IDS], ["grid"]),
        node("Gather", ["grid", "one"], ["width"]),
        node("Div", [names.LIVE, "width"], ["sentence"]),  # (rows)
        node("Reshape", [names.POSITIONS, "flat"], ["cell_positions"]),
        node("Gather", ["cell_positions", names.LIVE], ["position"]),  # (rows)
        node("Gather", ["memory.ids", "sentence"], ["source"]),  # (rows, src_len)
        node("Shape", ["source"], ["source_shape"]),
        node("Gather", ["source_shape", "one"], ["src_len"]),
        node("Sub", ["src_len", "one"], ["last"]),
        node("Min", ["position", "last"], ["safe"]),
        node("Unsqueeze", ["safe", "one"], ["column"]),
        node("GatherElements", ["source", "column"], ["wanted"], axis=1),  # (rows, 1)
        node("Squeeze", ["wanted", "one"], ["id"]),
        node("OneHot", ["id", "depth", "logit_values"], ["logits"]),
        node("Add", ["logits", "work"], ["busy_logits"]),
        node("LogSoftmax", ["busy_logits"], ["log_probs"]),
        node("TopK", ["log_probs", names.K], [names.TOP_LOG_PROBS, names.TOP_IDS]),
        node("Gather", ["state.nothing", names.PARENTS], ["next.nothing"]),
    ]
    constants = [
        _constant("one", np.array([1])),
        _constant("flat", np.array([-1])),
        _constant("depth", np.int64(vocab_size)),
        _constant("logit_values", np.array([0, 12], np.float32)),
    ]
    work, sizes = _work(busy)
    return helper.make_graph(
        [*work, *nodes],
        "step",
        [
            _info(names.LAST_IDS, TensorProto.INT64, "sentences", "width"),
            _info(names.POSITIONS, TensorProto.INT64, "sentences", "width"),
            _info(names.PARENTS, TensorProto.INT64, "cells"),
            _info(names.LIVE, TensorProto.INT64, "rows"),
            _info(names.K, TensorProto.INT64, 1),
            _info("memory.ids", TensorProto.INT64, "sentences", "src_len"),
            _info("state.nothing", TensorProto.FLOAT, "entries", 1),
        ],
        [
            _info(names.TOP_IDS, TensorProto.INT64, "rows", "k"),
            _info(names.TOP_LOG_PROBS, TensorProto.FLOAT, "rows", "k"),
            _info("next.nothing", TensorProto.FLOAT, "cells", 1),
        ],
        [*constants, *sizes],
    )


def _work(busy: int) -> tuple[list[Any], list[Any]]:
    """Nodes that take their time and add zero; they read an input, so nothing folds them away."""
    node = helper.make_node
    nodes = [
        node("ReduceMax", ["state.nothing"], ["largest"], keepdims=0),
        node("Expand", ["largest", "square"], ["matrix"]),
        node("MatMul", ["matrix", "matrix"], ["product"]),
        node("ReduceMax", ["product"], ["most"], keepdims=0),
        node("Mul", ["most", "nothing"], ["work"]),
    ]
    sizes = [
        _constant("square", np.array([max(busy, 1)] * 2)),
        _constant("nothing", np.float32(0)),
    ]
    return nodes, sizes


def _info(name: str, kind: int, *shape: str | int) -> Any:
    return helper.make_tensor_value_info(name, kind, list(shape))


def _constant(name: str, value: Any) -> Any:
    return numpy_helper.from_array(np.asarray(value), name)


def _model(graph: GraphProto) -> bytes:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = 8
    checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())
