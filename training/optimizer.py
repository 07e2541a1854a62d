"""AdamW (Kingma and Ba 2015; Loshchilov and Hutter 2019) and one update of the weights."""

import torch
from pydantic import Field
from torch import nn

from mt.config import Strict


class OptimizerConfig(Strict):
    """How gradients move the weights."""

    learning_rate: float = Field(gt=0, description="peak, after warm-up")
    betas: tuple[float, float] = Field(
        (0.9, 0.98), description="decay of the running mean and variance of the gradient"
    )
    eps: float = Field(1e-9, gt=0, description="added to the root of the variance")
    weight_decay: float = Field(0.0, ge=0, description="decoupled, per unit of learning rate")
    max_norm: float = Field(
        1.0, gt=0, description="gradients longer than this (Euclidean) are scaled down to it"
    )
    ema_decay: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="of the moving average of the weights that is scored and kept; 0: none",
    )


def build_optimizer(model: nn.Module, config: OptimizerConfig) -> torch.optim.AdamW:
    """AdamW over all trainable weights."""
    return torch.optim.AdamW(
        [weights for weights in model.parameters() if weights.requires_grad],
        lr=config.learning_rate,
        betas=config.betas,
        eps=config.eps,
        weight_decay=config.weight_decay,
        fused=True,
    )


def set_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """The next update uses this learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
