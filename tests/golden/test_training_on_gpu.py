"""The loop on a CUDA device: it waits for nothing within an update, and trains as a CPU does."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.tiny_run import tiny_recipe, write_corpus
from training.batching import updates
from training.prefetch import prepared_ahead
from training.prepare import prepare
from training.session import Session
from training.train import train
from training.trained import load_trained
from training.update import update_weights

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]

GRU = {
    "model": {
        "family": "gru",
        "embedding_size": 16,
        "encoder_size": 16,
        "decoder_size": 16,
        "attention_size": 16,
    }
}
KINDS: dict[str, dict[str, Any]] = {
    "transformer": {},
    "transformer with attention and word dropout": {
        "model.attention_dropout": 0.1,
        "model.word_dropout": 0.1,
    },
    "gru": GRU,
    "gru with layer norm": {"model": {**GRU["model"], "layer_norm": True}},
    "gru with variational dropout": {
        "model": {**GRU["model"], "variational": True, "dropout_state": 0.2, "dropout_hidden": 0.2}
    },
    "gru without attention": {"model": {**GRU["model"], "attention": "none"}},
    "r-drop": {"loss": {"r_drop": 3.0}},
    "accumulated and averaged": {"batching.accumulate": 2, "optimizer.ema_decay": 0.99},
}


def session(tmp_path: Path, device: str, **changes: Any) -> Session:
    write_corpus(tmp_path)
    recipe = tiny_recipe(tmp_path, **{**changes, "training.device": device})
    run = tmp_path / device
    return Session(recipe, run, prepare(recipe, run, None), None)


@contextmanager
def waiting_is_an_error() -> Iterator[None]:
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.filterwarnings("ignore:Synchronization debug mode")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_update_waits_for_nothing(tmp_path: Path, kind: str, precision: str) -> None:
    s = session(tmp_path, "cuda", **{**KINDS[kind], "training.precision": precision})
    stream = updates(s.prepared.dataset, s.recipe.batching, s.recipe.seed)
    with prepared_ahead(stream, s.device) as steps:
        ready = list(islice(steps, 6))
    for step in ready[:3]:
        update_weights(s, step)  # the first ones may set libraries up
    with waiting_is_an_error():
        done = [update_weights(s, step) for step in ready[3:]]
    assert all(updated.is_finite() for updated in done)


@pytest.mark.parametrize("kind", ["transformer", "gru", "gru with layer norm"])
def test_in_float32_it_trains_as_a_cpu_does(tmp_path: Path, kind: str) -> None:
    still = {"model.dropout": 0.0}
    if "gru" in kind:
        still["model.dropout_output"] = 0.0
    losses = {}
    for device in ("cpu", "cuda"):
        changes = {key: dict(v) if isinstance(v, dict) else v for key, v in KINDS[kind].items()}
        s = session(tmp_path, device, **changes, **still)
        stream = updates(s.prepared.dataset, s.recipe.batching, s.recipe.seed)
        losses[device] = [update_weights(s, step).loss.item() for step in islice(stream, 8)]
    assert losses["cuda"] == pytest.approx(losses["cpu"], rel=2e-3)


@pytest.mark.filterwarnings("default")  # the compiler gives advice
@pytest.mark.parametrize("kind", ["transformer", "gru"])
@pytest.mark.parametrize("compiled", [False, True])
def test_a_run_in_bfloat16_learns_and_opens_on_a_cpu(
    tmp_path: Path, kind: str, compiled: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    write_corpus(tmp_path)
    changes = {
        **KINDS[kind],
        "training.device": "cuda",
        "training.precision": "bf16",
        "training.compile": compiled,
        "training.max_updates": 60,
        "evaluation.every_updates": 30,
        "optimizer.ema_decay": 0.9,
    }
    result = train(tiny_recipe(tmp_path, **changes), tmp_path / "run")
    assert result.finished
    lines = (tmp_path / "run/metrics.jsonl").read_text(encoding="utf-8").splitlines()
    losses = [json.loads(line)["loss"] for line in lines if '"training"' in line]
    assert losses[-1] < 0.8 * losses[0]
    assert "torch.compile failed" not in capfd.readouterr().err
    assert load_trained(tmp_path / "run").sha256 == result.sha256
