"""JoeyNMT 2.3: its `TrainManager`, its data loader (random batches, counted with padding)."""

import torch
from joeynmt.config import parse_global_args, set_validation_args
from joeynmt.prediction import prepare
from joeynmt.training import TrainManager

from tests.benchmarks.training_peers.job import (
    SIZES,
    SOURCE,
    TARGET,
    GRUSize,
    Job,
    TransformerSize,
    job_from_command_line,
)
from tests.benchmarks.training_peers.meter import Meter

NEVER = 10**9


def main() -> None:
    torch.set_num_threads(1)
    meter = Meter(["joeynmt", "torch"])
    args = parse_global_args(configuration(job_from_command_line()), mode="train")
    args.model_dir.mkdir(parents=True, exist_ok=True)
    model, train_data, dev_data, _ = prepare(args, rank=0, mode="train")
    manager = TrainManager(
        rank=0,
        model=model,
        model_dir=args.model_dir,
        device=args.device,
        autocast=args.autocast,
        seed=args.seed,
        train_args=args.train,
        dev_args=set_validation_args(args.test),
    )
    meter.before(TrainManager, "_train_step", lambda _, batch: batch.ntokens)
    manager.train_and_validate(train_data=train_data, valid_data=dev_data)


def configuration(job: Job) -> dict[str, object]:
    """The values of a JoeyNMT configuration file."""
    return {
        "name": "benchmark",
        "model_dir": f"{job.work}/joeynmt",
        "use_cuda": False,
        "data": {
            "train": str(job.text("train", SOURCE).with_suffix("")),
            "dev": str(job.text("dev", SOURCE).with_suffix("")),
            "dataset_type": "plain",
            "src": _side(job, SOURCE),
            "trg": _side(job, TARGET),
        },
        "training": {
            "optimizer": "adam",
            "learning_rate": job.learning_rate,
            "scheduling": "warmupinversesquareroot",
            "normalization": "tokens",
            "label_smoothing": job.label_smoothing,
            "clip_grad_norm": 1.0,
            "batch_size": job.max_tokens,
            "batch_type": "token",
            "epochs": NEVER,
            "updates": NEVER,
            "validation_freq": NEVER,
            "logging_freq": 100,
        },
        "testing": {},
        "model": _model(job),
    }


def _side(job: Job, language: str) -> dict[str, object]:
    return {"lang": language, "level": "word", "voc_file": str(job.vocabulary), "max_length": 100}


def _model(job: Job) -> dict[str, object]:
    size = SIZES[job.size]
    if isinstance(size, GRUSize):
        encoder, decoder = _gru(size, job.dropout), _gru(size, job.dropout)
        return {
            "tied_embeddings": True,
            "encoder": encoder | {"bidirectional": True},
            "decoder": decoder | {"attention": "bahdanau", "init_hidden": "bridge"},
        }
    stack = _transformer(size, job.dropout)
    return {"tied_embeddings": True, "tied_softmax": True, "encoder": stack, "decoder": dict(stack)}


def _transformer(size: TransformerSize, dropout: float) -> dict[str, object]:
    return {
        "type": "transformer",
        "num_layers": size.layers,
        "num_heads": size.n_heads,
        "hidden_size": size.d_model,
        "ff_size": size.d_ff,
        "dropout": dropout,
        "embeddings": {"embedding_dim": size.d_model, "scale": True, "dropout": dropout},
    }


def _gru(size: GRUSize, dropout: float) -> dict[str, object]:
    return {
        "type": "recurrent",
        "rnn_type": "gru",
        "num_layers": 1,
        "hidden_size": size.hidden,
        "dropout": dropout,
        "embeddings": {"embedding_dim": size.embedding, "dropout": dropout},
    }


if __name__ == "__main__":
    main()
