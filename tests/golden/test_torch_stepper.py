"""The cached decoder writes what the model, read from the start for every word, would write."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from mt.stepper import Rows
from mt.tokenizer import BOS_ID, EOS_ID
from tests.tiny_hybrid import tiny_hybrid
from tests.tiny_models import tiny_decoder_only, tiny_gru, tiny_transformer
from tests.tiny_recurrent import UNEVEN, tiny_recurrent
from training.models.seq2seq import Seq2Seq
from training.stepper import TorchStepper

Build = Callable[[int], Seq2Seq]

# tied and post-norm, random weights say one word for ever; these say several and end
FAMILIES: dict[str, Build] = {
    "transformer": lambda seed: tiny_transformer(seed, norm="pre", tie_embeddings="none"),
    "recurrent-positions": lambda seed: tiny_transformer(
        seed, norm="pre", tie_embeddings="none", positions="recurrent"
    ),
    "relative-positions": lambda seed: tiny_transformer(
        seed, norm="pre", tie_embeddings="none", positions="relative", max_distance=2
    ),
    "decoder-only": lambda seed: tiny_decoder_only(
        seed + 4, norm="pre", tie_embeddings="none", positions="rotary"
    ),
    "gru": tiny_gru,
    "gru-layer-norm": lambda seed: tiny_gru(seed, layer_norm=True),
    "hybrid": lambda seed: tiny_hybrid(seed, cell="gru", tie_embeddings="none"),
    "recurrent": tiny_recurrent,
    "recurrent-no-attention": lambda seed: tiny_recurrent(
        seed, cell="gru", attention="none", decoder_layers=2, **UNEVEN
    ),
}
every_family = pytest.mark.parametrize("build", FAMILIES.values(), ids=FAMILIES)
MAX_LENGTH = 12
SOURCES = [[4, 9, 3], [5, 6, 7, 8, 9, 10, 3], [3], [11, 12, 13, 14, 3], [7, 7, 7, 3]]


def greedy_by_full_forward(model: Seq2Seq, src: list[int]) -> list[int]:
    prefix = [BOS_ID]
    while len(prefix) <= MAX_LENGTH and prefix[-1] != EOS_ID:
        with torch.no_grad():
            logits = model(torch.tensor([src]), torch.tensor([prefix]))[0, -1]
        prefix.append(3 + int(logits[3:].argmax()))  # pad, unknown and bos are never written
    return prefix[1:]


def greedy_by_stepper(stepper: TorchStepper, sources: list[list[int]]) -> list[list[int]]:
    """All sentences at once; each leaves when it has ended."""
    slots = stepper.admit(sources)
    written: dict[int, list[int]] = {slot: [] for slot in slots}
    live, parents, last_ids = slots, [-1] * len(slots), [BOS_ID] * len(slots)
    while live:
        rows = Rows(np.array(live), np.array(parents), np.array(last_ids))
        best = stepper.step(rows, k=1).ids[:, 0].tolist()
        for slot, word in zip(live, best, strict=True):
            written[slot].append(word)
        going = [
            i
            for i, slot in enumerate(live)
            if best[i] != EOS_ID and len(written[slot]) < MAX_LENGTH
        ]
        stepper.retire([slot for i, slot in enumerate(live) if i not in going])
        live, parents, last_ids = [live[i] for i in going], going, [best[i] for i in going]
    return [written[slot] for slot in slots]


@every_family
def test_greedy_equals_argmax_of_full_forwards(build: Build) -> None:
    lengths = set()
    for seed in range(4):
        model = build(seed)
        expected = [greedy_by_full_forward(model, src) for src in SOURCES]
        assert greedy_by_stepper(TorchStepper(model), SOURCES) == expected
        lengths |= {len(words) for words in expected}
    assert len(lengths) > 1, "no sentence left before the others"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@every_family
def test_a_cuda_device_writes_what_a_cpu_writes(build: Build) -> None:
    on_cpu = greedy_by_stepper(TorchStepper(build(0)), SOURCES)
    assert greedy_by_stepper(TorchStepper(build(0), device="cuda"), SOURCES) == on_cpu
