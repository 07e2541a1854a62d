"""Label-smoothed cross-entropy of the tokens that exist: padding costs and counts nothing."""

import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor

from mt.config import Strict
from training.batching import Batch
from training.chunked_loss import projected_cross_entropy
from training.models.seq2seq import Seq2Seq
from training.pretraining import PretrainingConfig

MANY_LOGITS = 2**27  # half a gigabyte as float32, and the plain way keeps several of it


class MinimumRiskConfig(Strict):
    """Fine-tuning on the model's own translations, see `training.minimum_risk`.

    The gradient of the risk carries the factor alpha; `weight` makes up for it.
    """

    samples: int = Field(20, ge=1, description="translations drawn of each sentence")
    alpha: float = Field(
        0.005, gt=0, description="sharpness of the distribution over them (Shen et al. 2016)"
    )
    temperature: float = Field(1.0, gt=0, description="of the draw; above 1 they differ more")
    max_length_ratio: float = Field(
        1.5, ge=1, description="longest draw, as a multiple of its reference's tokens"
    )
    weight: float = Field(200.0, gt=0, description="of the risk; 1 / alpha undoes alpha's factor")
    cross_entropy: float = Field(
        0.0, ge=0, description="weight of the reference's cross-entropy beside the risk"
    )


class LossConfig(Strict):
    """What training minimises."""

    label_smoothing: float = Field(
        0.1, ge=0, lt=1, description="probability spread evenly over the vocabulary"
    )
    r_drop: float = Field(
        0.0, ge=0, description="weight of the divergence between two passes; 0: one pass only"
    )
    minimum_risk: MinimumRiskConfig | None = Field(
        None, description="fine-tune on the risk of sampled translations instead"
    )
    pretraining: PretrainingConfig | None = Field(
        None, description="learn from plain text instead; see `seq2serve pretrain`"
    )

    @model_validator(mode="after")
    def _is_one_objective(self) -> "LossConfig":
        chosen = [name for name in ("r_drop", "minimum_risk", "pretraining") if getattr(self, name)]
        if len(chosen) > 1:
            raise ValueError(f"{' and '.join(chosen)} are {len(chosen)} objectives; choose one")
        return self


def label_smoothed_cross_entropy(logits: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    """Sum over tokens, in nats (a scalar, float32).

    Szegedy et al. 2016, section 7; Vaswani et al. 2017, section 5.4: the target distribution gives
    1 - smoothing to the reference and spreads smoothing evenly over all V ids, so that

        loss = logsumexp(z) - (1 - smoothing) z[target] - smoothing mean(z).

    logits (tokens, vocab); targets (tokens,).
    """
    return F.cross_entropy(logits.float(), targets, reduction="sum", label_smoothing=smoothing)


def real_hidden(model: Seq2Seq, batch: Batch) -> Tensor:
    """Hidden states of the target tokens that exist, (tokens, d)."""
    hidden = model.hidden(batch.src, batch.tgt_in)  # (batch, tgt_len, d)
    return hidden.flatten(0, 1).index_select(0, batch.real)


def batch_loss(model: Seq2Seq, batch: Batch, smoothing: float) -> Tensor:
    """Summed loss of one batch, in nats; only hidden states of real target tokens are projected."""
    return prediction_loss(model, real_hidden(model, batch), batch.targets, smoothing)


def prediction_loss(model: Seq2Seq, hidden: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    """Summed loss in nats of predicting targets (tokens,) from hidden states (tokens, d)."""
    if chunks_pay(hidden, model.vocab_size):
        return projected_cross_entropy(hidden, model.output.weight, targets, smoothing)
    return label_smoothed_cross_entropy(model.project(hidden), targets, smoothing)


def chunks_pay(hidden: Tensor, vocab_size: int) -> bool:
    """Chunks save a CPU a fifth of an update's time, and a GPU memory where logits are many."""
    return hidden.device.type == "cpu" or len(hidden) * vocab_size > MANY_LOGITS
