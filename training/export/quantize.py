"""Linear layers in 8 bits, statically: one scale for what a layer reads, one for each output.

The scale of a layer's input is fixed from real sentences when the bundle is made (Jacob et al.
2018, section 2), so no neighbour in a batch can change a translation, as it does where scales are
taken from the batch at hand.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from training.models.seq2seq import Seq2Seq

# CPUs without VNNI multiply u8 by s8 and add two neighbouring products in 16 bits, saturating
# (vpmaddubsw). Weights within +-64 never get there: 2 * 255 * 64 = 32640 <= 32767. All sums are
# then exact, and a translation is the same on every machine, for one bit of the weights.
WEIGHT_LIMIT = 64
ACTIVATION_STEPS = 255

Sentence = tuple[list[int], list[int]]  # src and tgt_in, as a model reads them


@dataclass(frozen=True)
class Range:
    """The values a layer reads: low <= 0 <= high, so that 0 has a step of its own."""

    low: float
    high: float

    @property
    def scale(self) -> np.float32:
        """Size of one of the 255 steps."""
        return np.float32(max(self.high - self.low, 1e-6) / ACTIVATION_STEPS)

    @property
    def zero_point(self) -> np.uint8:
        """The step that stands for exactly 0."""
        return np.uint8(np.rint(-self.low / self.scale))


def quantize_weight(
    weight: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Integers (d_out, d_in) within +-64, and the scale of each output (d_out)."""
    largest = np.abs(weight).max(axis=1)
    scales = (np.maximum(largest, 1e-9) / WEIGHT_LIMIT).astype(np.float32)
    return np.rint(weight / scales[:, None]).astype(np.int8), scales


def calibrate(model: Seq2Seq, sentences: Iterable[Sentence]) -> dict[str, Range]:
    """What every linear layer reads while the model is fed these sentences, by the layer's name."""
    ranges: dict[str, Range] = {}

    def widen(name: str, x: Tensor) -> None:
        old = ranges.get(name, Range(0.0, 0.0))
        ranges[name] = Range(min(old.low, x.min().item()), max(old.high, x.max().item()))

    _feed(model, sentences, widen)
    return ranges


def saturation(
    model: Seq2Seq, ranges: dict[str, Range], sentences: Iterable[Sentence]
) -> dict[str, float]:
    """The part of what each layer reads that its range cuts off, on other sentences."""
    outside, total = dict.fromkeys(ranges, 0), dict.fromkeys(ranges, 0)

    def count(name: str, x: Tensor) -> None:
        known = ranges[name]
        outside[name] += int(((x < known.low) | (x > known.high)).sum())
        total[name] += x.numel()

    _feed(model, sentences, count)
    return {name: outside[name] / max(total[name], 1) for name in ranges}


def _feed(
    model: Seq2Seq, sentences: Iterable[Sentence], look: Callable[[str, Tensor], None]
) -> None:
    """Run the model, teacher-forced, and look at what each linear layer reads.

    One sentence at a time: padding would be looked at as well.
    """
    with _watching(model, look), torch.inference_mode():
        for src, tgt_in in sentences:
            model(torch.tensor([src]), torch.tensor([tgt_in]))


@contextmanager
def _watching(model: Seq2Seq, look: Callable[[str, Tensor], None]) -> Iterator[None]:
    def hook(name: str, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        look(name, inputs[0])

    linear = [(n, m) for n, m in model.named_modules() if isinstance(m, nn.Linear)]
    handles = [module.register_forward_pre_hook(partial(hook, name)) for name, module in linear]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@dataclass(frozen=True)
class Quantization:
    """The ranges of a model's linear layers and how well they hold on other sentences."""

    ranges: dict[str, Range]
    saturated: dict[str, float]
    sentences: int

    def by_layer(self, model: Seq2Seq) -> dict[nn.Module, Range]:
        """The ranges for a `GraphBuilder`."""
        return {model.get_submodule(name): found for name, found in self.ranges.items()}

    def values(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "method": "static: QuantizeLinear and MatMulIntegerToFloat",
            "activations": "unsigned 8 bits, one scale and zero point a layer",
            "weights": f"signed 8 bits within +-{WEIGHT_LIMIT}, one scale an output",
            "calibration_sentences": self.sentences,
            "layers": {
                name: {
                    "low": round(found.low, 4),
                    "high": round(found.high, 4),
                    "saturated": round(self.saturated[name], 6),
                }
                for name, found in self.ranges.items()
            },
        }


def quantize(
    model: Seq2Seq, calibration: Sequence[Sentence], others: Sequence[Sentence]
) -> Quantization:
    """Calibrate on some sentences, and measure on others what the ranges cut off."""
    ranges = calibrate(model, calibration)
    return Quantization(ranges, saturation(model, ranges, others), len(calibration))
