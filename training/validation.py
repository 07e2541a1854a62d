"""The score that chooses checkpoints: the validation split, through the one search.

A pretraining run translates nothing: its score is how many of the tokens it is asked for it gets
right, the same ones at every validation.
"""

import numpy as np
import torch

from mt.bundle import Score
from mt.tokenizer import Tokenizer
from training.batching import Batch, collate
from training.corpora.pair import Pair
from training.evaluate import evaluate
from training.models.seq2seq import Seq2Seq, device_of
from training.precision import rows_at_once
from training.prepare import Prepared
from training.pretraining import PretrainingConfig, build_predict
from training.recipe import Recipe
from training.stepper import TorchStepper, evaluating

PRETRAINING_SEED = 1
PRETRAINING_ROWS = 64


def validation_scores(model: Seq2Seq, prepared: Prepared, recipe: Recipe) -> list[Score]:
    """Scores of a model on the validation pairs, the one that chooses first.

    The model keeps its mode and weights, and random generators their state.
    """
    corpus, config = prepared.corpus, recipe.evaluation
    test_set = f"{corpus.name}:{corpus.source}-{corpus.target}:{config.split}"
    if recipe.loss.pretraining is not None:
        return [token_accuracy(model, prepared, recipe.loss.pretraining, test_set)]
    found = evaluate(
        TorchStepper(model, prepared.tokenizer.never_emitted()),
        prepared.tokenizer,
        prepared.validation,
        test_set,
        config.search,
        config.max_rows or rows_at_once(device_of(model)),
    )
    return found.scores


def token_accuracy(
    model: Seq2Seq, prepared: Prepared, config: PretrainingConfig, test_set: str
) -> Score:
    """Per cent of the tokens asked for that the model finds most probable."""
    predict, right, total = build_predict(config), 0, 0
    with torch.inference_mode(), evaluating(model), torch.random.fork_rng(devices=[]):
        torch.manual_seed(PRETRAINING_SEED)
        for start in range(0, len(prepared.validation), PRETRAINING_ROWS):
            pairs = prepared.validation[start : start + PRETRAINING_ROWS]
            hidden, targets = predict(model, _batch(pairs, prepared.tokenizer, model))
            right += int((model.project(hidden).argmax(-1) == targets).sum())
            total += len(targets)
    signature = f"objective:{config.objective}|share:{config.share:g}|seed:{PRETRAINING_SEED}"
    return Score(
        metric="token-accuracy", value=100 * right / total, signature=signature, test_set=test_set
    )


def _batch(pairs: list[Pair], tokenizer: Tokenizer, model: Seq2Seq) -> Batch:
    sides = ([pair.src for pair in pairs], [pair.tgt for pair in pairs])
    ids = ([np.array(tokenizer.encode(text), np.int32) for text in side] for side in sides)
    return collate(*ids).to(device_of(model))
