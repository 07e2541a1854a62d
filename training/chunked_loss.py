"""Output layer and label-smoothed cross-entropy in one pass, a chunk of tokens at a time.

The plain way keeps logits, their softmax and its gradient of all tokens at once, three matrices of
(tokens, vocab). Here one buffer of (chunk, vocab) serves all three, and smoothing costs no pass
over it: its part of loss and gradient is a mean over the vocabulary, which is linear in the
hidden states. It is the twin of `training.loss.label_smoothed_cross_entropy` on a linear layer.

Under autocast the products are made in its precision, as there; softmax, sums and the gradient of
the weights are float32 also then.
"""

import torch
from torch import Tensor

CHUNK = 512  # tokens; 128 to 2,048 take the same time on a CPU, and memory grows with it
GPU_CHUNK = 8192  # tokens; enough work for a GPU, and 64 k tokens take an eighth of the memory


def projected_cross_entropy(
    hidden: Tensor, weight: Tensor, targets: Tensor, smoothing: float, chunk: int | None = None
) -> Tensor:
    """Summed label-smoothed cross-entropy (nats) of logits hidden @ weight^T, never kept whole.

    hidden (tokens, d); weight (vocab, d); targets (tokens,). Only first derivatives exist.
    """
    device = hidden.device.type
    autocast = torch.is_autocast_enabled(device)
    dtype = torch.get_autocast_dtype(device) if autocast else hidden.dtype
    chunk = chunk or (CHUNK if device == "cpu" else GPU_CHUNK)
    with torch.autocast(device, enabled=False):
        loss: Tensor = _ProjectedCrossEntropy.apply(  # type: ignore[no-untyped-call]
            hidden, weight, targets, smoothing, chunk, dtype
        )
    return loss


class _ProjectedCrossEntropy(torch.autograd.Function):
    """Both gradients are made in the forward pass, while the chunk's probabilities are at hand."""

    @staticmethod
    def forward(
        ctx: "torch.autograd.function.FunctionCtx",
        hidden: Tensor,
        weight: Tensor,
        targets: Tensor,
        smoothing: float,
        chunk: int,
        dtype: torch.dtype,
    ) -> Tensor:
        precise, share = torch.promote_types(dtype, torch.float32), smoothing / len(weight)
        all_hidden, all_weight = hidden.sum(0, dtype=precise), weight.sum(0, dtype=precise)
        hidden, weight = hidden.to(dtype), weight.to(dtype)
        to_hidden, to_weight = torch.empty_like(hidden), torch.zeros_like(weight, dtype=precise)
        loss = -share * (all_hidden @ all_weight)
        buffer = hidden.new_empty(min(chunk, len(hidden)), len(weight))
        for start in range(0, len(hidden), chunk):
            some = hidden[start : start + chunk]
            wanted = targets[start : start + chunk].unsqueeze(1)
            logits = torch.mm(some, weight.t(), out=buffer[: len(some)])
            probabilities, losses = _softmax_and_losses(logits, wanted, smoothing, precise)
            loss += losses.sum()
            slope = probabilities.scatter_add_(
                1, wanted, probabilities.new_full((1, 1), smoothing - 1).expand_as(wanted)
            ).to(dtype)
            torch.mm(slope, weight, out=to_hidden[start : start + chunk])
            _add_product(to_weight, slope.t(), some)
        ctx.save_for_backward(
            to_hidden.sub_(all_weight, alpha=share), to_weight.sub_(all_hidden, alpha=share)
        )
        return loss

    @staticmethod
    def backward(
        ctx: "torch.autograd.function.FunctionCtx", slope: Tensor
    ) -> tuple[Tensor, Tensor, None, None, None, None]:
        to_hidden, to_weight = ctx.saved_tensors  # type: ignore[attr-defined]
        return to_hidden * slope, to_weight * slope, None, None, None, None


def _softmax_and_losses(
    logits: Tensor, targets: Tensor, smoothing: float, precise: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Probabilities (chunk, vocab) and the loss of each token but for the smoothed mean.

    logits (chunk, vocab), overwritten where they are as precise; targets (chunk, 1).
    """
    highest, of_target = logits.amax(1).to(precise), logits.gather(1, targets).squeeze(1)
    in_place = logits if logits.dtype == precise else None
    probabilities = torch.softmax(logits, 1, dtype=precise, out=in_place)
    log_sum = highest - probabilities.amax(1).log()
    return probabilities, log_sum - (1 - smoothing) * of_target.to(precise)


def _add_product(total: Tensor, a: Tensor, b: Tensor) -> None:
    """Add a @ b; a sum of many bfloat16 products must not lose more than each of them has."""
    if a.dtype == total.dtype:
        total.addmm_(a, b)
    else:
        total += a @ b
