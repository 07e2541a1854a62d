"""Sockeye 3.1: its `sockeye-train` on CPU, its bucketed batches of at most so many words."""

import json
import sys
from pathlib import Path

import torch
from sockeye import train
from sockeye.training import EarlyStoppingTrainer

from tests.benchmarks.training_peers.job import SOURCE, TARGET, Job, job_from_command_line
from tests.benchmarks.training_peers.meter import Meter

NEVER = 10**9
PAD = 0
SPECIAL = ("<pad>", "<unk>", "<s>", "</s>")


def main() -> None:
    torch.set_num_threads(1)
    meter = Meter(["sockeye", "torch"])
    meter.before(EarlyStoppingTrainer, "_step", lambda _, batch: target_tokens(batch.labels))
    job = job_from_command_line()
    sys.argv = ["sockeye-train", *arguments(job, write_vocabulary(job))]
    train.main()


def target_tokens(labels: dict[str, torch.Tensor]) -> int:
    """Labels that are no padding."""
    return int((labels["target_label"] != PAD).sum())


def write_vocabulary(job: Job) -> Path:
    """The shared vocabulary in Sockeye's own format."""
    words = [*SPECIAL, *job.vocabulary.read_text(encoding="utf-8").split()]
    path = Path(job.work) / "vocabulary.json"
    path.write_text(json.dumps({word: number for number, word in enumerate(words)}), "utf-8")
    return path


def arguments(job: Job, vocabulary: Path) -> list[str]:
    """The command line of `sockeye-train`."""
    size = job.transformer
    values = {
        "source": job.text("train", SOURCE),
        "target": job.text("train", TARGET),
        "validation-source": job.text("dev", SOURCE),
        "validation-target": job.text("dev", TARGET),
        "source-vocab": vocabulary,
        "target-vocab": vocabulary,
        "output": f"{job.work}/sockeye",
        "max-seq-len": 100,
        "batch-type": "word",
        "batch-size": job.max_tokens,
        "num-layers": size.layers,
        "num-embed": size.d_model,
        "transformer-model-size": size.d_model,
        "transformer-feed-forward-num-hidden": size.d_ff,
        "transformer-attention-heads": size.n_heads,
        "transformer-dropout-prepost": job.dropout,
        "transformer-dropout-act": 0.0,
        "transformer-dropout-attention": 0.0,
        "weight-tying-type": "src_trg_softmax",
        "label-smoothing": job.label_smoothing,
        "optimizer": "adam",
        "initial-learning-rate": job.learning_rate,
        "gradient-clipping-type": "norm",
        "max-updates": NEVER,
        "checkpoint-interval": NEVER,
        "decode-and-evaluate": 0,
        "seed": 1,
    }
    pairs = [part for name, value in values.items() for part in (f"--{name}", str(value))]
    return [*pairs, "--shared-vocab", "--use-cpu"]


if __name__ == "__main__":
    main()
