"""How fast the update is on a GPU, and how much of what the GPU can multiply that is."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import cycle, islice
from typing import Any

import torch
from torch import nn

from mt.tokenizer import PAD_ID
from training import loss
from training.batching import Batch, UpdateBatches, updates
from training.models.gru import GRU
from training.models.seq2seq import Seq2Seq, count_parameters, device_of
from training.models.transformer import Transformer
from training.session import Session
from training.update import update_weights

READY_MADE = 6  # updates, gone through again and again
# Dense bfloat16 FLOP/s by datasheet, by part of the device's name, the longer names first
PEAKS = {
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "L4": 121e12,
    "A10": 125e12,
    "4090": 165e12,
}


def device_facts(device: torch.device) -> dict[str, Any]:
    """What a reader needs to judge the figures."""
    datasheet = datasheet_peak(device)
    facts: dict[str, Any] = {
        "device": device.type,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "measured_matmul_flops": measured_peak(device),
        "datasheet_flops": datasheet,
    }
    if device.type == "cuda":
        found = torch.cuda.get_device_properties(device)
        facts |= {
            "device": found.name,
            "memory_gb": round(found.total_memory / 1e9, 1),
            "multiprocessors": found.multi_processor_count,
            "capability": f"{found.major}.{found.minor}",
        }
    return facts


def datasheet_peak(device: torch.device) -> float | None:
    """Dense bfloat16 FLOP/s, or None for a device that is not in the table."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else ""
    return next((peak for part, peak in PEAKS.items() if part in name), None)


def measured_peak(device: torch.device) -> float:
    """FLOP/s of large bfloat16 products of random matrices; float32 on a CPU, and small ones."""
    size, dtype = (8192, torch.bfloat16) if device.type == "cuda" else (256, torch.float32)
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    for _ in range(3):
        a @ b
    seconds = timed(device, lambda: [a @ b for _ in range(10)])
    return 10 * 2 * size**3 / seconds


def timed(device: torch.device, work: Any) -> float:
    """Seconds that work takes, until the device has done it."""
    wait(device)
    began = time.perf_counter()
    work()
    wait(device)
    return time.perf_counter() - began


def wait(device: torch.device) -> None:
    """Until the device has done all it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def useful_flops(model: Seq2Seq, batch: Batch) -> float:
    """Operations of the matrix products that training on a batch needs, padding left out.

    Two for each multiplication and addition, and twice as many for the gradients as for the loss.
    Embeddings are looked up, not multiplied; norms, dropout, softmax and gates count nothing.
    """
    src, tgt = ((ids != PAD_ID).sum(1).double() for ids in (batch.src, batch.tgt_out))
    by_source, by_target = multiplied_weights(model)
    products = by_source * src.sum() + by_target * tgt.sum() + _attention(model, src, tgt)
    return 6 * float(products)


def multiplied_weights(model: Seq2Seq) -> tuple[int, int]:
    """Weights that each source token is multiplied with, and those of each target token.

    A GRU's first state is made once a sentence, and left out.
    """
    counts = [0, 0]
    for name, module in model.named_modules():
        matrices = [w for w in module.parameters(recurse=False) if w.dim() == 2]
        if not isinstance(module, nn.Embedding) and name != "first_state":
            counts[not _reads_source(name)] += sum(w.numel() for w in matrices)
    return counts[0], counts[1]


def _reads_source(name: str) -> bool:
    return name.startswith("encoder.") or name.endswith(("key_value", "attention.key"))


def _attention(model: Seq2Seq, src: torch.Tensor, tgt: torch.Tensor) -> float:
    """Products of queries with keys and of weights with values, each sentence by itself."""
    if isinstance(model, Transformer):
        config = model.config
        pairs = config.encoder_layers * src * src
        pairs = pairs + config.decoder_layers * (tgt * (tgt + 1) / 2 + tgt * src)
        return float(2 * config.d_model * pairs.sum())
    if isinstance(model, GRU) and model.attention is not None:
        width = model.config.attention_size + 2 * model.config.encoder_size
        return float(width * (src * tgt).sum())
    return 0.0


def steady_speed(session: Session, seconds: float, whole_logits: bool = False) -> dict[str, Any]:
    """Target tokens per second of updates with ready-made batches that lie on the device.

    whole_logits: the output layer never in chunks.
    """
    device = device_of(session.model)
    ready = list(_on_device(session, device))
    with _chunks(not whole_logits):
        began = time.perf_counter()
        for step in ready:
            update_weights(session, step)
        wait(device)
        warm_up = time.perf_counter() - began
        took, done = 0.0, list[UpdateBatches]()
        rounds = cycle(ready)
        while took < seconds:
            some = list(islice(rounds, READY_MADE))
            took += timed(device, lambda some=some: [update_weights(session, x) for x in some])
            done += some
    batches = [batch for step in done for batch in step.batches]
    flops = sum(useful_flops(session.model, batch) for batch in batches) / took
    return {
        "parameters": count_parameters(session.model),
        "updates": len(done),
        "seconds": round(took, 3),
        "warm_up_s": round(warm_up, 3),
        "ms_per_update": round(1000 * took / len(done), 3),
        "tokens_per_update": round(sum(b.target_tokens for b in batches) / len(done)),
        "tokens_per_s": round(sum(b.target_tokens for b in batches) / took),
        "useful_flops_per_s": flops,
        "memory_gb": _most_memory(device),
    }


def _on_device(session: Session, device: torch.device) -> Iterator[UpdateBatches]:
    recipe, dataset = session.recipe, session.prepared.dataset
    for step in islice(updates(dataset, recipe.batching, recipe.seed), READY_MADE):
        yield replace(step, batches=[batch.to(device) for batch in step.batches])


@contextmanager
def _chunks(wanted: bool) -> Iterator[None]:
    """The output layer in chunks where it is large, or never."""
    before = loss.MANY_LOGITS
    loss.MANY_LOGITS = before if wanted else 2**62
    try:
        yield
    finally:
        loss.MANY_LOGITS = before


def _most_memory(device: torch.device) -> float | None:
    if device.type != "cuda":
        return None
    most = torch.cuda.max_memory_allocated(device) / 1e9
    torch.cuda.reset_peak_memory_stats(device)
    return round(most, 2)
