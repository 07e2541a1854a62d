"""Linear layers in 8 bits, statically: unsigned activations by one scale, weights by channel.

The scale of a layer's input is fixed when the bundle is made, from real sentences, so that nothing
about a neighbour in the batch can change a translation (Jacob et al. 2018, section 2, with the
ranges of section 3.1 frozen).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


# CPUs without VNNI multiply u8 by s8 and add two neighbouring products in 16 bits, saturating
# (vpmaddubsw). Weights within +-64 cannot reach that: 2 * 255 * 64 = 32640 <= 32767. The sums are
# then exact, and a translation is the same on every machine, for one bit of the weights.
WEIGHT_LIMIT = 64
ACTIVATION_LEVELS = 255


@dataclass(frozen=True)
class Range:
    """The values a layer's input takes: low <= 0 <= high."""

    low: float
    high: float

    @property
    def scale(self) -> np.float32:
        """Size of one of the 255 steps."""
        return np.float32(max(self.high - self.low, 1e-6) / ACTIVATION_LEVELS)

    @property
    def zero_point(self) -> np.uint8:
        """The step that stands for exactly 0."""
        return np.uint8(np.clip(np.rint(-self.low / self.scale), 0, ACTIVATION_LEVELS))


def quantize_weight(
    weight: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Integers (d_out, d_in) within +-64 and the scale of each output channel (d_out,)."""
    largest = np.abs(weight).max(axis=1)
    scales = (np.maximum(largest, 1e-9) / WEIGHT_LIMIT).astype(np.float32)
    return np.rint(weight / scales[:, None]).astype(np.int8), scales
