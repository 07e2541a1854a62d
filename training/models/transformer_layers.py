"""What stacks are made of: feed-forward networks, residuals and layers of Vaswani et al. 2017."""

import torch.nn.functional as F
from torch import Tensor, nn

from training.models.attention import CrossAttention, KeysValues, PackedLinear, SelfAttention
from training.models.dropout import Dropout
from training.models.transformer_config import Activation, StackConfig

# 3.3 Position-wise feed-forward networks


class GatedSiLU(nn.Module):
    """Shazeer 2020, section 2, SwiGLU: SiLU(x W) * (x V), both in one projection."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., 2 * d_ff) -> (..., d_ff)."""
        gate, value = x.chunk(2, -1)
        return F.silu(gate) * value


class FeedForward(nn.Module):
    """max(0, x W1 + b1) W2 + b2, section 3.3; or another function in place of the maximum."""

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        parts = 2 if config.activation == "swiglu" else 1
        self.inner = PackedLinear(config.d_model, config.d_ff, parts)
        self.outer = nn.Linear(config.d_ff, config.d_model)
        self.activation = ACTIVATIONS[config.activation]()

    def forward(self, x: Tensor) -> Tensor:
        """Transform each position of x (..., d_model) alike; the same shape comes back."""
        y: Tensor = self.outer(self.activation(self.inner(x)))
        return y


ACTIVATIONS: dict[Activation, type[nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "swiglu": GatedSiLU,
}


# 3.1 Encoder and decoder layers


def normalisation(config: StackConfig) -> nn.Module:
    """Layer norm, or RMS norm, which neither centres nor shifts."""
    if config.norm_type == "rms":
        return nn.RMSNorm(config.d_model, eps=1e-6)
    return nn.LayerNorm(config.d_model)


class Residual(nn.Module):
    """What stands around every sub-layer, section 3.1: dropout, addition, layer norm.

    post (the paper): norm(x + dropout(sublayer(x))); pre: x + dropout(sublayer(norm(x))).
    """

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        self.norm = normalisation(config)
        self.dropout = Dropout(config.dropout)
        self.pre = config.norm == "pre"

    def enter(self, x: Tensor) -> Tensor:
        """What the sub-layer reads."""
        y: Tensor = self.norm(x) if self.pre else x
        return y

    def leave(self, x: Tensor, y: Tensor) -> Tensor:
        """Add the sub-layer's answer y to x."""
        total: Tensor = x + self.dropout(y)
        return total if self.pre else self.norm(total)


def final_norm(config: StackConfig) -> nn.Module:
    """Pre-norm leaves the last sum of a stack unnormalised; post-norm does not."""
    return normalisation(config) if config.norm == "pre" else nn.Identity()


class EncoderLayer(nn.Module):
    """Self-attention, then feed-forward."""

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        self.self_attention = SelfAttention(config)
        self.self_attention_residual = Residual(config)
        self.feed_forward = FeedForward(config)
        self.feed_forward_residual = Residual(config)

    def forward(self, x: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        """Encode x (batch, src_len, d_model) once more; mask (batch, 1, 1, src_len)."""
        around = self.self_attention_residual
        x = around.leave(x, self.self_attention(around.enter(x), positions, mask))
        around = self.feed_forward_residual
        return around.leave(x, self.feed_forward(around.enter(x)))


class DecoderLayer(nn.Module):
    """Self-attention over what is written, attention over the source, then feed-forward."""

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        self.self_attention = SelfAttention(config)
        self.self_attention_residual = Residual(config)
        self.cross_attention = CrossAttention(config)
        self.cross_attention_residual = Residual(config)
        self.feed_forward = FeedForward(config)
        self.feed_forward_residual = Residual(config)

    def forward(
        self,
        x: Tensor,
        positions: Tensor,
        self_mask: Tensor | None,
        cache: KeysValues | None,
        memory: KeysValues,
        src_mask: Tensor,
        with_weights: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Decode x (batch, tgt_len, d_model) once more; cross-attention weights if asked for.

        self_mask broadcasts to (batch, 1, tgt_len, past + tgt_len); it, positions and cache as in
        `SelfAttention`;
        memory: this layer's cross-attention keys and values; src_mask (batch, 1, 1, src_len).
        """
        around = self.self_attention_residual
        x = around.leave(x, self.self_attention(around.enter(x), positions, self_mask, cache))
        around = self.cross_attention_residual
        context, weights = self.cross_attention(around.enter(x), *memory, src_mask, with_weights)
        x = around.leave(x, context)
        around = self.feed_forward_residual
        return around.leave(x, self.feed_forward(around.enter(x))), weights


def initialise_projections(model: nn.Module, apart_from: nn.Module) -> None:
    """Xavier for every linear layer but one, packed ones part by part; biases 0."""
    for module in model.modules():
        if isinstance(module, nn.Linear) and module is not apart_from:
            for part in module.weight.chunk(getattr(module, "parts", 1)):
                nn.init.xavier_uniform_(part)
            nn.init.zeros_(module.bias)
