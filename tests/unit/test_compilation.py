"""A compiled model trains as the plain one, and where compiling fails the plain one does."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.tiny_models import tiny_transformer
from tests.tiny_run import tiny_recipe, write_corpus
from training.batching import Batch, collate
from training.compilation import Compiled, compile_for_training
from training.loss import batch_loss
from training.models.seq2seq import Seq2Seq
from training.tensors import model_tensors
from training.train import train

Function = Callable[..., Any]


def batch(rows: int, longest: int) -> Batch:
    random = np.random.default_rng(rows)
    sides = [
        [random.integers(4, 20, n).astype(np.int32) for n in random.integers(1, longest, rows)]
        for _ in range(2)
    ]
    return collate(*sides)


def loss_and_slopes(model: Seq2Seq, rows: int, longest: int) -> tuple[Tensor, tuple[Tensor, ...]]:
    loss = batch_loss(model, batch(rows, longest), 0.1)
    return loss, torch.autograd.grad(loss, list(model.parameters()))


def test_one_graph_serves_all_shapes_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    graphs: list[Function] = []

    def backend(graph: Function, inputs: list[Tensor]) -> Function:
        graphs.append(graph)
        return graph

    compiler = partial(torch.compile, backend=backend, fullgraph=True)
    monkeypatch.setattr(torch, "compile", compiler)
    layers = {"encoder_layers": 1, "decoder_layers": 1}
    plain, fast = tiny_transformer(**layers), tiny_transformer(**layers)
    compile_for_training(fast)
    for rows, longest in ((5, 7), (6, 9), (3, 12)):
        torch.testing.assert_close(
            loss_and_slopes(fast, rows, longest), loss_and_slopes(plain, rows, longest)
        )
    assert len(graphs) == 1
    assert model_tensors(fast).keys() == model_tensors(plain).keys()
    torch._dynamo.reset()


def failing(error: Exception) -> Function:
    def compile(function: Function, **_: Any) -> Function:
        def run(*arguments: Any) -> Any:
            raise error

        return run

    return compile


def test_where_it_fails_one_line_tells_and_training_goes_on(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    error = RuntimeError("Failed to find C compiler.\nPlease install one.")
    monkeypatch.setattr(torch, "compile", failing(error))
    plain, fast = tiny_transformer(), tiny_transformer()
    compile_for_training(fast)
    for _ in range(2):
        torch.testing.assert_close(loss_and_slopes(fast, 3, 5), loss_and_slopes(plain, 3, 5))
    told = capfd.readouterr().err.strip().splitlines()
    assert told == [
        "warning: torch.compile failed (Failed to find C compiler.); training goes on without it"
    ]


def test_too_little_memory_is_no_failure_to_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", failing(torch.OutOfMemoryError("CUDA out of memory")))
    with pytest.raises(torch.OutOfMemoryError):
        Compiled(len)([])


def test_without_gradients_nothing_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", failing(AssertionError("compiled")))
    with torch.inference_mode():
        assert Compiled(len)([1, 2]) == 2


def test_a_recipe_asks_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []

    def compile(function: Function, **_: Any) -> Function:
        def run(*arguments: Any) -> Any:
            called.append(function.__name__)
            return function(*arguments)

        return run

    monkeypatch.setattr(torch, "compile", compile)
    write_corpus(tmp_path)
    few = {"training.max_updates": 2, "optimizer.ema_decay": 0.9}
    plain = train(tiny_recipe(tmp_path, **few), tmp_path / "plain")
    assert not called
    compiled = train(tiny_recipe(tmp_path, **few, **{"training.compile": True}), tmp_path / "fast")
    assert called == ["hidden", "hidden"]
    assert compiled.sha256 == plain.sha256
