"""What `torch.onnx.export` makes of our Transformer, run as a newcomer would: the plain graph.

One graph for each half, in 32 bits; the cache grows by concatenation, and hypotheses are reordered
by copying theirs. The best ids are chosen inside the graph, which is more than most would do.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mt.stepper import Rows, Slot, StepOutput
from mt.tokenizer import PAD_ID
from tests.benchmarks.pytorch_peers import OneLoad, padded
from training.models.transformer import Transformer

Array = npt.NDArray[np.float32]
OPSET = 17


class _Encoder(nn.Module):
    def __init__(self, model: Transformer) -> None:
        super().__init__()
        self.model = model

    def forward(self, src: Tensor) -> tuple[Tensor, ...]:
        """Keys and values of every layer (batch, layers, heads, src_len, d_head), and the mask."""
        encoded = self.model.encode(src)
        return encoded.memory["keys"], encoded.memory["values"], encoded.src_mask


class _Step(nn.Module):
    def __init__(self, model: Transformer, k: int) -> None:
        super().__init__()
        self.model, self.k = model, k

    def forward(
        self, last_ids: Tensor, keys: Tensor, values: Tensor, src_mask: Tensor, *past: Tensor
    ) -> tuple[Tensor, ...]:
        """Keys and values of the source as `_Encoder` has them, a row each; past in turn."""
        model = self.model
        rows, length = last_ids.shape[0], past[0].shape[2]
        positions = torch.full((rows, 1), 1) * length
        x, _ = model.embed(model.tgt_embedding, model.tgt_positions, last_ids[:, None], positions)
        mask = torch.ones(rows, 1, 1, length + 1, dtype=torch.bool)
        caches = [F.pad(one, (0, 0, 0, 1)) for one in past]
        for i, layer in enumerate(model.decoder.layers):
            memory = keys[:, i], values[:, i]
            cache = caches[2 * i], caches[2 * i + 1]
            x, _ = layer(x, positions, mask, cache, memory, src_mask[:, None, None])
        best = model.project(model.decoder.norm(x)[:, 0]).log_softmax(-1).topk(self.k)
        return best.indices, best.values, *caches


class PlainExport(OneLoad):
    """A Stepper over the exported graphs; all sentences of a load come and go together."""

    def __init__(self, model: Transformer, folder: Path, k: int, threads: int) -> None:
        """Export the model, which is in evaluation mode; each step is asked for k ids or fewer."""
        super().__init__(model.vocab_size)
        self._model, self._n_past = model, 2 * len(model.decoder.layers)
        past = [f"past.{i}" for i in range(self._n_past)]
        following = [f"next.{i}" for i in range(self._n_past)]
        src = torch.tensor([[5, 6, 3], [7, 3, PAD_ID]])
        encoder, step = _Encoder(model), _Step(model, k)
        encoded = encoder(src)
        head = (model.config.n_heads, 1, model.config.d_head)
        example = torch.tensor([5, 6]), *encoded, *[torch.zeros(2, *head)] * self._n_past
        source = {0: "rows", 3: "src_len"}
        axes = {"keys": source, "values": source, "src_mask": {0: "rows", 1: "src_len"}}
        grown = {name: {0: "rows", 2: "length"} for name in (*past, *following)}
        self._encoder = _session(
            *(encoder, (src,), folder / "plain-encoder.onnx"),
            *(["src"], ["keys", "values", "src_mask"], {"src": {0: "rows", 1: "src_len"}, **axes}),
            threads,
        )
        self._step = _session(
            *(step, example, folder / f"plain-step-{k}.onnx"),
            ["last_ids", "keys", "values", "src_mask", *past],
            ["ids", "log_probs", *following],
            {"last_ids": {0: "rows"}, "ids": {0: "rows"}, "log_probs": {0: "rows"}} | axes | grown,
            threads,
        )
        self._memory: list[Array] = []
        self._past: list[Array] = []

    def admit(
        self, src_ids: Sequence[Sequence[int]], most_rows: Sequence[int] | None = None
    ) -> list[Slot]:
        """Encode sentences; all of a load come together."""
        self._memory = self._encoder.run(None, {"src": np.array(padded(src_ids), np.int64)})
        config = self._model.config
        none = np.zeros((1, config.n_heads, 0, config.d_head), np.float32)
        self._past = [none] * self._n_past
        return self._new_slots(len(src_ids))

    def step(self, rows: Rows, k: int, with_attention: bool = False) -> StepOutput:
        """One step of all rows, which are equally long."""
        parents = np.maximum(rows.parents, 0)
        sentences = rows.slots - self._first_slot
        feeds = dict(zip(("keys", "values", "src_mask"), self._memory, strict=True))
        feeds = {name: tensor[sentences] for name, tensor in feeds.items()}
        feeds |= {f"past.{i}": one[parents] for i, one in enumerate(self._past)}
        ids, log_probs, *self._past = self._step.run(None, {"last_ids": rows.last_ids, **feeds})
        return StepOutput(ids[:, :k], log_probs[:, :k])


def _session(
    module: nn.Module,
    example: tuple[Tensor, ...],
    path: Path,
    inputs: list[str],
    outputs: list[str],
    axes: dict[str, dict[int, str]],
    threads: int,
) -> ort.InferenceSession:
    """Export a module and open it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing warns of every size that it may keep
        torch.onnx.export(
            *(module, example, str(path)),
            input_names=inputs,
            output_names=outputs,
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
