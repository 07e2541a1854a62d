"""Hugging Face Transformers 5: a Marian model under its `Seq2SeqTrainer`, sentences of like length
together (its `group_by_length`). It counts sentences, not tokens: a budget of 4096 is 256 captions.
"""

import random
from itertools import chain
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset
from transformers import MarianConfig, MarianMTModel, Seq2SeqTrainer, Seq2SeqTrainingArguments

from tests.benchmarks.training_peers.job import SOURCE, TARGET, WORDS, Job, job_from_command_line
from tests.benchmarks.training_peers.meter import Meter

NEVER = 10**9
PAD, BOS, EOS = 0, 2, 3
IGNORED = -100
TOKENS_OF_A_SENTENCE = 16


class Pairs(Dataset[dict[str, list[int]]]):
    """The training pairs as the trainer's length sampler wants them."""

    def __init__(self, job: Job) -> None:
        self._pairs = list(zip(job.ids(SOURCE), job.ids(TARGET), strict=True))

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> dict[str, list[int]]:
        source, target = self._pairs[index]
        return {"input_ids": [*source, EOS], "labels": [*target, EOS]}


def collate(pairs: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
    """Pad; the decoder reads the labels one place to the right, as Marian's own shift makes them.

    They are made here because a trainer with label smoothing takes the labels away from the model.
    """
    sources = _pad([pair["input_ids"] for pair in pairs], PAD)
    return {
        "input_ids": sources,
        "attention_mask": (sources != PAD).long(),
        "decoder_input_ids": _pad([[BOS, *pair["labels"][:-1]] for pair in pairs], PAD),
        "labels": _pad([pair["labels"] for pair in pairs], IGNORED),
    }


def _pad(rows: list[list[int]], value: int) -> torch.Tensor:
    return pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=value)


def main() -> None:
    torch.set_num_threads(1)
    meter = Meter(["transformers", "accelerate", "torch"])
    job = job_from_command_line()
    trainer = Seq2SeqTrainer(
        model=MarianMTModel(configuration(job)),
        args=arguments(job),
        train_dataset=Pairs(job),
        data_collator=collate,
    )
    order = shuffled_batches(list(trainer._get_train_sampler()), trainer.args.train_batch_size)
    trainer._get_train_sampler = lambda *_: order
    meter.before(trainer, "training_step", lambda _, inputs, *__: target_tokens(inputs))
    trainer.train()


def shuffled_batches(order: list[int], size: int) -> list[int]:
    """The trainer's own batches in random order: it begins with the longest sentences, and a short
    run would see no others.
    """
    whole = len(order) // size * size
    batches = [order[i : i + size] for i in range(0, whole, size)]
    random.Random(1).shuffle(batches)
    return [*chain.from_iterable(batches), *order[whole:]]


def target_tokens(inputs: dict[str, Any]) -> int:
    """Labels that count."""
    return int((inputs["labels"] != IGNORED).sum())


def configuration(job: Job) -> MarianConfig:
    """Marian's Transformer of the job's sizes, all embeddings tied."""
    size = job.transformer
    words = len(job.vocabulary.read_text(encoding="utf-8").splitlines())
    return MarianConfig(
        vocab_size=WORDS + words,
        d_model=size.d_model,
        encoder_layers=size.layers,
        decoder_layers=size.layers,
        encoder_attention_heads=size.n_heads,
        decoder_attention_heads=size.n_heads,
        encoder_ffn_dim=size.d_ff,
        decoder_ffn_dim=size.d_ff,
        dropout=job.dropout,
        attention_dropout=0.0,
        activation_dropout=0.0,
        activation_function="relu",
        max_position_embeddings=128,
        scale_embedding=True,
        share_encoder_decoder_embeddings=True,
        pad_token_id=PAD,
        bos_token_id=BOS,
        eos_token_id=EOS,
        decoder_start_token_id=BOS,
        forced_eos_token_id=EOS,
    )


def arguments(job: Job) -> Seq2SeqTrainingArguments:
    """One thread, no evaluation, nothing saved."""
    return Seq2SeqTrainingArguments(
        output_dir=f"{job.work}/transformers",
        use_cpu=True,
        per_device_train_batch_size=job.max_tokens // TOKENS_OF_A_SENTENCE,
        train_sampling_strategy="group_by_length",
        max_steps=NEVER,
        learning_rate=job.learning_rate,
        label_smoothing_factor=job.label_smoothing,
        optim="adamw_torch_fused",
        dataloader_num_workers=0,
        save_strategy="no",
        eval_strategy="no",
        logging_steps=100,
        report_to="none",
        disable_tqdm=True,
        seed=1,
    )


if __name__ == "__main__":
    main()
