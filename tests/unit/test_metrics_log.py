"""Figures in JSON lines and for TensorBoard."""

import json
import math
from pathlib import Path
from typing import Any

import torch

from training.metrics_log import MetricsLog, Window


def lines(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_lines_and_curves_are_written(tmp_path: Path) -> None:
    with MetricsLog(tmp_path, 0) as log:
        log.write("training", 5, {"loss": 1.23456789})
        log.write("validation", 5, {"BLEU": 30.0})
    assert lines(tmp_path) == [
        {"kind": "training", "update": 5, "loss": 1.23457},
        {"kind": "validation", "update": 5, "BLEU": 30.0},
    ]
    assert list((tmp_path / "tensorboard").glob("events.out.tfevents.*"))


def test_what_is_not_finite_is_left_out(tmp_path: Path) -> None:
    with MetricsLog(tmp_path, 0) as log:
        log.write("training", 5, {"loss": math.nan, "gradient_norm": math.inf, "epoch": 1.5})
    assert lines(tmp_path) == [{"kind": "training", "update": 5, "epoch": 1.5}]


def test_a_continued_run_forgets_what_it_writes_again_and_half_lines(tmp_path: Path) -> None:
    with MetricsLog(tmp_path, 0) as log:
        for update in (5, 10, 15):
            log.write("training", update, {"loss": 1.0})
    with (tmp_path / "metrics.jsonl").open("a") as out:
        out.write('{"kind": "training", "upd')
    with MetricsLog(tmp_path, 10) as log:
        log.write("training", 11, {"loss": 1.0})
    assert [line["update"] for line in lines(tmp_path)] == [5, 10, 11]


def test_a_window_weighs_losses_by_tokens() -> None:
    window = Window()
    window.add(loss=torch.tensor(2.0), norm=torch.tensor(1.0), tokens=300, seconds=0.5)
    window.add(loss=torch.tensor(6.0), norm=torch.tensor(3.0), tokens=100, seconds=0.5)
    expected = {"loss": 3.0, "tokens_per_s": 400.0, "gradient_norm": 2.0}
    assert window.figures() == expected
    assert window.text() == "loss 3.00, 400 tokens/s"
