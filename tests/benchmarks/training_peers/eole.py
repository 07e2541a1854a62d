"""Eole 0.6: its `train` verb on CPU, its bucketing, loader in the same process."""

import torch
from eole.bin.run.train import train
from eole.config.run import TrainConfig
from eole.trainer import Trainer

from tests.benchmarks.training_peers.job import SOURCE, TARGET, Job, job_from_command_line
from tests.benchmarks.training_peers.meter import Meter

NEVER = 10**9
BUCKET = 29_000  # sentences sorted by length at once: an epoch


def main() -> None:
    torch.set_num_threads(1)
    meter = Meter(["eole", "torch"])
    meter.before(Trainer, "_train_step", lambda _, batches, *__, **___: target_tokens(batches))
    train(TrainConfig(**configuration(job_from_command_line())))


def target_tokens(batches: list[dict[str, torch.Tensor]]) -> int:
    """Target tokens that are predicted: the first, bos, is not."""
    return sum(int((batch["tgtlen"] - 1).sum()) for batch in batches)


def configuration(job: Job) -> dict[str, object]:
    """The values of an Eole configuration file."""
    size = job.transformer
    return {
        "src_vocab": str(job.vocabulary),
        "tgt_vocab": str(job.vocabulary),
        "share_vocab": True,
        "vocab_size_multiple": 1,
        "seed": 1,
        "transforms": [],
        "data": {
            "train": {
                "path_src": str(job.text("train", SOURCE)),
                "path_tgt": str(job.text("train", TARGET)),
            },
            "valid": {
                "path_src": str(job.text("dev", SOURCE)),
                "path_tgt": str(job.text("dev", TARGET)),
            },
        },
        "training": {
            "model_path": f"{job.work}/eole",
            "compute_dtype": "fp32",
            "num_workers": 0,
            "bucket_size": BUCKET,
            "batch_type": "tokens",
            "batch_size": job.max_tokens,
            "normalization": "tokens",
            "accum_count": [1],
            "train_steps": NEVER,
            "valid_steps": NEVER,
            "save_checkpoint_steps": NEVER,
            "optim": "adam",
            "adam_beta2": 0.98,
            "learning_rate": job.learning_rate,
            "max_grad_norm": 1.0,
            "dropout": [job.dropout],
            "attention_dropout": [0.0],
            "label_smoothing": job.label_smoothing,
            "log_attention_entropy": False,
        },
        "model": {
            "architecture": "transformer",
            "layers": size.layers,
            "hidden_size": size.d_model,
            "transformer_ff": size.d_ff,
            "heads": size.n_heads,
            "embeddings": {"word_vec_size": size.d_model, "position_encoding": True},
            "share_embeddings": True,
            "share_decoder_embeddings": True,
        },
    }


if __name__ == "__main__":
    main()
