"""fairseq 0.12: its `fairseq-train` on CPU, its token batches, loader in the same process."""

import dataclasses
from pathlib import Path
from typing import Any

import torch

# fairseq 0.12.2 dates from Python 3.10: its configuration classes default to
# instances of each other, which Python 3.11 allows only where they are hashable.
_dataclass = dataclasses.dataclass


def _hashable_dataclass(cls: Any = None, /, **options: Any) -> Any:
    return _dataclass(cls, **{"unsafe_hash": True, **options})


dataclasses.dataclass = _hashable_dataclass
from fairseq import options  # noqa: E402
from fairseq.dataclass.utils import convert_namespace_to_omegaconf  # noqa: E402
from fairseq.trainer import Trainer  # noqa: E402
from fairseq_cli import preprocess, train  # noqa: E402

dataclasses.dataclass = _dataclass

from tests.benchmarks.training_peers.job import (  # noqa: E402
    SOURCE,
    TARGET,
    Job,
    job_from_command_line,
)
from tests.benchmarks.training_peers.meter import Meter  # noqa: E402

NEVER = 10**9


def main() -> None:
    torch.set_num_threads(1)
    meter = Meter(["fairseq", "torch"])
    meter.before(Trainer, "train_step", lambda _, samples, *__, **___: target_tokens(samples))
    job = job_from_command_line()
    binarise(job)
    parsed = options.parse_args_and_arch(options.get_training_parser(), arguments(job))
    train.main(convert_namespace_to_omegaconf(parsed))


def target_tokens(samples: list[dict[str, Any]]) -> int:
    """fairseq counts them itself: targets without padding, eos counted."""
    return sum(sample["ntokens"] for sample in samples)


def binarise(job: Job) -> None:
    """Text to fairseq's own files, with the benchmark's vocabulary."""
    words = job.vocabulary.read_text(encoding="utf-8").split()
    dictionary = Path(job.work) / "dictionary.txt"
    dictionary.write_text("".join(f"{word} 1\n" for word in words), encoding="utf-8")
    command = ["--source-lang", SOURCE, "--target-lang", TARGET, "--destdir", f"{job.work}/data"]
    command += ["--trainpref", str(job.text("train", SOURCE).with_suffix(""))]
    command += ["--validpref", str(job.text("dev", SOURCE).with_suffix(""))]
    command += ["--joined-dictionary", "--srcdict", str(dictionary), "--workers", "1"]
    preprocess.main(options.get_preprocessing_parser().parse_args(command))


def arguments(job: Job) -> list[str]:
    """The command line of `fairseq-train`."""
    size = job.transformer
    values = {
        "source-lang": SOURCE,
        "target-lang": TARGET,
        "arch": "transformer",
        "max-tokens": job.max_tokens,
        "num-workers": 0,
        "criterion": "label_smoothed_cross_entropy",
        "label-smoothing": job.label_smoothing,
        "dropout": job.dropout,
        "attention-dropout": 0.0,
        "activation-dropout": 0.0,
        "optimizer": "adam",
        "adam-betas": "(0.9, 0.98)",
        "lr": job.learning_rate,
        "lr-scheduler": "fixed",
        "clip-norm": 1.0,
        "max-update": NEVER,
        "log-format": "none",
        "seed": 1,
    }
    for side in ("encoder", "decoder"):
        values |= {
            f"{side}-layers": size.layers,
            f"{side}-embed-dim": size.d_model,
            f"{side}-ffn-embed-dim": size.d_ff,
            f"{side}-attention-heads": size.n_heads,
        }
    pairs = [part for name, value in values.items() for part in (f"--{name}", str(value))]
    return [f"{job.work}/data", *pairs, "--share-all-embeddings", "--cpu", "--no-save"]


if __name__ == "__main__":
    main()
