"""What training costs: floating-point operations and processor time per target token, measured.

Operations are counted by PyTorch while it takes real gradients of real batches, so hand-written
ways back count as what they do: products of matrices and vectors, a multiplication and an addition
being two. Sums, exponentials and the like are not counted, as is usual; nor is the optimizer.
"""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import (
    FlopCounterMode,
    sdpa_backward_flop_count,
    sdpa_flop_count,
)

from mt.tokenizer import Tokenizer
from training.batching import Batch, collate, plan_epoch
from training.corpora.corpus import open_corpus
from training.corpora.pair import Pair
from training.models import build_model
from training.models.seq2seq import Seq2Seq
from training.objective import Objective, build_objective
from training.precision import use_threads
from training.recipe import Recipe
from training.tensors import seed_everything

BATCHES = 3
_PAIRS = 5000  # drawn from all training pairs, so that batches are as full as in training


@dataclass(frozen=True)
class Cost:
    """Of training, per target token; processor_s without the optimizer, on this machine."""

    flops: float
    processor_s: float


def measure_cost(recipe: Recipe, tokenizer: Tokenizer) -> Cost:
    """Count and time the gradients of a few batches of a recipe.

    Raises:
        CorpusError: the corpus cannot be had.
    """
    use_threads(1)
    seed_everything(recipe.seed)
    model = build_model(recipe.model, tokenizer.vocab_size).train()
    objective = build_objective(recipe.loss, tokenizer)
    batches = sample_batches(recipe, tokenizer)
    tokens = sum(batch.target_tokens for batch in batches)
    flops = count_flops(model, objective, batches)
    began = time.process_time()
    _take_gradients(model, objective, batches)
    return Cost(flops / tokens, (time.process_time() - began) / tokens)


def count_flops(model: Seq2Seq, objective: Objective, batches: Sequence[Batch]) -> int:
    """Floating-point operations of loss and gradients of these batches."""
    with FlopCounterMode(display=False, custom_mapping=_UNCOUNTED) as counter:
        _take_gradients(model, objective, batches)
    return int(counter.get_total_flops())


def sample_batches(recipe: Recipe, tokenizer: Tokenizer, count: int = BATCHES) -> list[Batch]:
    """A few of the batches that training would see, the same every time."""
    encoded = [
        (np.array(tokenizer.encode(pair.src)), np.array(tokenizer.encode(pair.tgt)))
        for pair in _sample_pairs(recipe)
    ]
    longest = recipe.batching.max_length
    fitting = [pair for pair in encoded if max(map(len, pair)) < longest] or encoded[:1]
    lengths = [np.array([len(pair[side]) + 1 for pair in fitting]) for side in range(2)]
    plan = plan_epoch(lengths[0], lengths[1], recipe.batching.max_tokens, recipe.seed, 0)
    return [
        collate([fitting[i][0] for i in chosen], [fitting[i][1] for i in chosen])
        for chosen in plan[:count]
    ]


def embedding_parameters(model: Seq2Seq) -> int:
    """Parameters with a row for each piece: embeddings, and the output layer; tied ones once."""
    return sum(weights.numel() for weights in model.parameters() if _is_table(weights, model))


def _is_table(weights: nn.Parameter, model: Seq2Seq) -> bool:
    return weights.ndim == 2 and weights.shape[0] == model.vocab_size


def _sample_pairs(recipe: Recipe) -> list[Pair]:
    """Reservoir sampling, because a corpus is a stream (Vitter 1985, algorithm R)."""
    draw = random.Random(recipe.seed)  # nosec B311 # no secret
    stream = open_corpus(recipe.corpus).train_pairs()
    kept = list(islice(stream, _PAIRS))
    for seen, pair in enumerate(stream, start=len(kept)):
        place = draw.randint(0, seen)
        if place < _PAIRS:
            kept[place] = pair
    return kept


def _take_gradients(model: Seq2Seq, objective: Objective, batches: Sequence[Batch]) -> None:
    for batch in batches:
        objective(model, batch).backward()  # type: ignore[no-untyped-call]
        model.zero_grad(set_to_none=True)


def _product_with_vector(matrix: Sequence[int], *_: object, **__: object) -> int:
    return 2 * matrix[0] * matrix[1]


def _added_product_with_vector(_: object, matrix: Sequence[int], *__: object, **___: object) -> int:
    return 2 * matrix[0] * matrix[1]


def _attention(query: object, key: object, value: object, *_: object, **__: object) -> int:
    return int(sdpa_flop_count(query, key, value))  # type: ignore[no-untyped-call]


def _attention_back(
    slope: object, query: object, key: object, value: object, *_: object, **__: object
) -> int:
    return int(sdpa_backward_flop_count(slope, query, key, value))  # type: ignore[no-untyped-call]


_aten = torch.ops.aten
_UNCOUNTED = {  # by PyTorch's own counter
    _aten.mv: _product_with_vector,
    _aten.addmv: _added_product_with_vector,
    _aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    _aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_back,
}
