"""Where the tensors stay that the step graph changes: caches and states, step after step.

On a CPU they are arrays. On another device they are values that only the runtime can read, and the
graph reads and writes them where they are; through the host they go only where sentences' tensors
are put together anew: where a pool grows, where places are packed, where newcomers begin.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Tensor = Any  # an array, or what stands for it on a device


class Home(Protocol):
    """A place for tensors of one type of floats, `dtype`."""

    dtype: np.dtype[Any]

    def put(self, array: Array) -> Tensor:
        """The tensor with these numbers; the array may be the tensor."""

    def fetch(self, tensor: Tensor) -> Array:
        """The numbers of a tensor; the array may be the tensor."""

    def empty(self, shape: Sequence[int]) -> Tensor:
        """A tensor to be written."""


class Host:
    """The memory in which numpy works."""

    def __init__(self, dtype: npt.DTypeLike = np.float32) -> None:
        self.dtype: np.dtype[Any] = np.dtype(dtype)

    def put(self, array: Array) -> Tensor:
        """The array itself."""
        return array

    def fetch(self, tensor: Tensor) -> Array:
        """The array that the tensor is."""
        return np.asarray(tensor)

    def empty(self, shape: Sequence[int]) -> Tensor:
        """An array to be written."""
        return np.empty(shape, self.dtype)


HOST = Host()
