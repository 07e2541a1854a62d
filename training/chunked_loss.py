"""Output layer and label-smoothed cross-entropy in one pass, a chunk of tokens at a time.

The plain way keeps logits, their softmax and its gradient of all tokens at once, three matrices of
(tokens, vocab). Here one buffer of (chunk, vocab) serves all three, and smoothing costs no pass
over it: its part of loss and gradient is a mean over the vocabulary, which is linear in the
hidden states. It is the twin of `training.loss.label_smoothed_cross_entropy` on a linear layer.
"""

import torch
from torch import Tensor

CHUNK = 512  # tokens; 128 to 2,048 take the same time on a CPU, and memory grows with it


def projected_cross_entropy(
    hidden: Tensor, weight: Tensor, targets: Tensor, smoothing: float, chunk: int = CHUNK
) -> Tensor:
    """Summed label-smoothed cross-entropy (nats) of logits hidden @ weight^T, never kept whole.

    hidden (tokens, d); weight (vocab, d); targets (tokens,). Only first derivatives exist.
    """
    loss: Tensor = _ProjectedCrossEntropy.apply(  # type: ignore[no-untyped-call]
        hidden, weight, targets, smoothing, chunk
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
    ) -> Tensor:
        to_hidden, to_weight = torch.empty_like(hidden), torch.zeros_like(weight)
        loss = hidden.new_zeros(())
        buffer = hidden.new_empty(min(chunk, len(hidden)), len(weight))
        for start in range(0, len(hidden), chunk):
            some = hidden[start : start + chunk]
            wanted = targets[start : start + chunk].unsqueeze(1)
            logits = torch.mm(some, weight.t(), out=buffer[: len(some)])
            highest, of_target = logits.amax(1), logits.gather(1, wanted).squeeze(1)
            probabilities = torch.softmax(logits, 1, out=logits)
            log_sum = highest - probabilities.amax(1).log()
            loss += (log_sum - (1 - smoothing) * of_target).sum()
            slope = probabilities.scatter_add_(
                1, wanted, probabilities.new_full((1, 1), smoothing - 1).expand_as(wanted)
            )
            torch.mm(slope, weight, out=to_hidden[start : start + chunk])
            to_weight.addmm_(slope.t(), some)
        share, all_hidden, all_weight = smoothing / len(weight), hidden.sum(0), weight.sum(0)
        loss -= share * (all_hidden @ all_weight)
        ctx.save_for_backward(
            to_hidden.sub_(all_weight, alpha=share), to_weight.sub_(all_hidden, alpha=share)
        )
        return loss

    @staticmethod
    def backward(
        ctx: "torch.autograd.function.FunctionCtx", slope: Tensor
    ) -> tuple[Tensor, Tensor, None, None, None]:
        to_hidden, to_weight = ctx.saved_tensors  # type: ignore[attr-defined]
        return to_hidden * slope, to_weight * slope, None, None, None
