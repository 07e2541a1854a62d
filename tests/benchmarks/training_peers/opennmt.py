"""OpenNMT-py 3.5: its `train_single` on CPU, its bucketing, loader in the same process."""

import torch
from onmt.bin.train import _get_parser
from onmt.train_single import main as train_single
from onmt.trainer import Trainer
from onmt.utils.parse import ArgumentParser

from tests.benchmarks.training_peers.job import SOURCE, TARGET, Job, job_from_command_line
from tests.benchmarks.training_peers.meter import Meter

NEVER = 10**9
BUCKET = 29_000  # sentences sorted by length at once: an epoch
CPU = -1


def main() -> None:
    torch.set_num_threads(1)
    meter = Meter(["OpenNMT-py", "torch"])
    meter.before(Trainer, "_gradient_accumulation", lambda _, batches, *__: target_tokens(batches))
    options, _ = _get_parser().parse_known_args(arguments(job_from_command_line()))
    ArgumentParser.validate_train_opts(options)
    ArgumentParser.update_model_opts(options)
    ArgumentParser.validate_model_opts(options)
    train_single(options, CPU)


def target_tokens(batches: list[dict[str, torch.Tensor]]) -> int:
    """Target tokens that are predicted: the first, bos, is not."""
    return sum(int((batch["tgtlen"] - 1).sum()) for batch in batches)


def arguments(job: Job) -> list[str]:
    """The command line of `onmt_train`."""
    size = job.transformer
    values: dict[str, object] = {
        "data": _data(job),
        "save_model": f"{job.work}/opennmt",
        "src_vocab": job.vocabulary,
        "tgt_vocab": job.vocabulary,
        "src_vocab_size": 10**5,
        "tgt_vocab_size": 10**5,
        "vocab_size_multiple": 1,
        "seed": 1,
        "model_dtype": "fp32",
        "num_workers": 0,
        "bucket_size": BUCKET,
        "batch_type": "tokens",
        "batch_size": job.max_tokens,
        "normalization": "tokens",
        "accum_count": 1,
        "train_steps": NEVER,
        "valid_steps": NEVER,
        "save_checkpoint_steps": NEVER,
        "optim": "adam",
        "adam_beta2": 0.98,
        "learning_rate": job.learning_rate,
        "max_grad_norm": 1.0,
        "dropout": job.dropout,
        "attention_dropout": 0.0,
        "label_smoothing": job.label_smoothing,
        "encoder_type": "transformer",
        "decoder_type": "transformer",
        "enc_layers": size.layers,
        "dec_layers": size.layers,
        "hidden_size": size.d_model,
        "word_vec_size": size.d_model,
        "transformer_ff": size.d_ff,
        "heads": size.n_heads,
    }
    flags = ["share_vocab", "share_embeddings", "share_decoder_embeddings", "position_encoding"]
    pairs = [part for name, value in values.items() for part in (f"--{name}", str(value))]
    return [*pairs, *(f"--{flag}" for flag in flags)]


def _data(job: Job) -> str:
    """OpenNMT-py takes its corpora as YAML."""
    corpora = (
        f"{name}: {{path_src: '{job.text(split, SOURCE)}', path_tgt: '{job.text(split, TARGET)}'}}"
        for name, split in (("corpus", "train"), ("valid", "dev"))
    )
    return "{" + ", ".join(corpora) + "}"


if __name__ == "__main__":
    main()
