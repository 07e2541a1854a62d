"""What an update minimises: one function from a model and a batch to a loss."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from mt.tokenizer import Tokenizer
from training.batching import Batch
from training.loss import (
    LossConfig,
    batch_loss,
    label_smoothed_cross_entropy,
    prediction_loss,
    real_hidden,
)
from training.minimum_risk import MinimumRisk
from training.models.seq2seq import Seq2Seq
from training.pretraining import Predict, build_predict

Objective = Callable[[Seq2Seq, Batch], Tensor]  # the summed loss of one batch, in nats


def build_objective(config: LossConfig, tokenizer: Tokenizer) -> Objective:
    """The objective of a recipe: cross-entropy, alone or with R-Drop, or another."""
    if config.minimum_risk:
        return MinimumRisk(config.minimum_risk, config.label_smoothing, tokenizer)
    if config.pretraining:
        predict = build_predict(config.pretraining)
        return lambda model, batch: pretraining_loss(model, batch, predict, config.label_smoothing)
    if config.r_drop:
        return lambda model, batch: r_drop_loss(model, batch, config.label_smoothing, config.r_drop)
    return lambda model, batch: batch_loss(model, batch, config.label_smoothing)


def pretraining_loss(model: Seq2Seq, batch: Batch, predict: Predict, smoothing: float) -> Tensor:
    """Cross-entropy of what is asked, in nats, as if every target token of the batch were."""
    hidden, targets = predict(model, batch)
    loss = prediction_loss(model, hidden, targets, smoothing)
    return loss * (batch.target_tokens / len(targets))


def r_drop_loss(model: Seq2Seq, batch: Batch, smoothing: float, alpha: float) -> Tensor:
    """R-Drop, Liang et al. 2021, equation 4, as a sum over tokens in nats.

    The same batch goes through the model twice, under two draws of dropout: the mean of both
    cross-entropies, plus alpha / 2 times the mean of both directions of the Kullback-Leibler
    divergence between the two predictions. (The paper adds the two cross-entropies; the mean keeps
    the learning rate that suits one pass.)
    """
    logits = [model.project(real_hidden(model, batch)).float() for _ in range(2)]
    entropy = sum(label_smoothed_cross_entropy(z, batch.targets, smoothing) for z in logits) / 2
    first, second = (F.log_softmax(z, -1) for z in logits)
    divergence = ((first.exp() - second.exp()) * (first - second)).sum() / 2
    loss: Tensor = entropy + alpha / 2 * divergence
    return loss
