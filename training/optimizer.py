"""AdamW (Kingma and Ba 2015; Loshchilov and Hutter 2019) and one update of the weights."""

from collections.abc import Sequence

import torch
from pydantic import Field
from torch import nn

from mt.config import Strict
from mt.errors import ConfigError


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
    frozen: tuple[str, ...] = Field(
        (), description="names of modules or weights that stay as they start: [encoder]"
    )


def freeze(model: nn.Module, names: Sequence[str]) -> None:
    """Take these modules' or weights' gradients away.

    Raises:
        ConfigError: the model has nothing of that name, or nothing is left to train.
    """
    for name in names:
        found = [
            weights
            for path, weights in model.named_parameters(remove_duplicate=False)
            if f"{path}.".startswith(f"{name}.")
        ]
        if not found:
            parts = ", ".join(part for part, _ in model.named_children())
            raise ConfigError(f"optimizer.frozen: the model has no {name}; its parts: {parts}")
        for weights in found:
            weights.requires_grad_(False)
    if not any(weights.requires_grad for weights in model.parameters()):
        raise ConfigError("optimizer.frozen: nothing is left to train")


def build_optimizer(model: nn.Module, config: OptimizerConfig) -> torch.optim.AdamW:
    """AdamW over all trainable weights."""
    return build_optimizer_of([one for one in model.parameters() if one.requires_grad], config)


def build_optimizer_of(
    weights: Sequence[nn.Parameter], config: OptimizerConfig
) -> torch.optim.AdamW:
    """AdamW over these."""
    return torch.optim.AdamW(
        weights,
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
