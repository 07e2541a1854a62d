"""Tensors and random states to bytes and JSON, and back; nothing is ever pickled."""

import random
from typing import Any

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from mt.errors import CheckpointError

Tensors = dict[str, Tensor]


def to_bytes(tensors: Tensors) -> bytes:
    """Safetensors of tensors; equal tensors give equal bytes."""
    return safetensors.torch.save({name: t.detach().contiguous() for name, t in tensors.items()})


def from_bytes(data: bytes, name: str) -> Tensors:
    """Tensors of safetensors bytes, on the CPU.

    Raises:
        CheckpointError: the bytes are no safetensors file.
    """
    try:
        return safetensors.torch.load(data)
    except SafetensorError as error:
        raise CheckpointError(f"{name} is not a safetensors file ({error})") from None


def model_tensors(model: nn.Module) -> Tensors:
    """Weights and buffers by name, tied ones once (under their first name)."""
    seen: set[tuple[int, torch.Size]] = set()
    tensors = {}
    for name, tensor in model.state_dict().items():
        place = (tensor.data_ptr(), tensor.shape)
        if place not in seen:
            seen.add(place)
            tensors[name] = tensor
    return tensors


def load_model_tensors(model: nn.Module, tensors: Tensors, name: str) -> None:
    """Put tensors of `model_tensors` into a model of the same shape.

    Raises:
        CheckpointError: names or shapes differ.
    """
    expected = {name: tensor.shape for name, tensor in model_tensors(model).items()}
    found = {name: tensor.shape for name, tensor in tensors.items()}
    if expected != found:
        odd = sorted({key for key, _ in expected.items() ^ found.items()})
        raise CheckpointError(f"{name} holds other weights than the recipe's model: {odd[0]}, ...")
    model.load_state_dict(tensors, strict=False)  # tied names follow their first


def optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> Tensors:
    """What the optimizer remembers, named `weight/quantity`."""
    names = [name for name, weights in model.named_parameters() if weights.requires_grad]
    state = optimizer.state_dict()["state"]
    return {
        f"{names[index]}/{quantity}": torch.as_tensor(value)
        for index, quantities in state.items()
        for quantity, value in quantities.items()
    }


def load_optimizer_tensors(
    model: nn.Module, optimizer: torch.optim.Optimizer, tensors: Tensors
) -> None:
    """Give the optimizer its memory back."""
    names = [name for name, weights in model.named_parameters() if weights.requires_grad]
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        weight, _, quantity = name.rpartition("/")
        state.setdefault(names.index(weight), {})[quantity] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def seed_everything(seed: int) -> None:
    """Start every random generator that training may use."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def random_states() -> dict[str, Any]:
    """States of all random generators as JSON values."""
    name, keys, *rest = np.random.get_state(legacy=True)
    return {
        "python": random.getstate(),
        "numpy": [name, np.asarray(keys).tolist(), *rest],
        "torch": _hex(torch.get_rng_state()),
        "cuda": [_hex(s) for s in torch.cuda.get_rng_state_all()] if _cuda() else [],
    }


def restore_random_states(states: dict[str, Any]) -> None:
    """Put all random generators where `random_states` found them."""
    version, internal, gauss = states["python"]
    random.setstate((version, tuple(internal), gauss))
    np.random.set_state(tuple(states["numpy"]))
    torch.set_rng_state(_unhex(states["torch"]))
    if _cuda() and len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([_unhex(state) for state in states["cuda"]])


def _cuda() -> bool:
    return torch.cuda.is_available()


def _hex(state: Tensor) -> str:
    return bytes(state.numpy()).hex()


def _unhex(text: str) -> Tensor:
    return torch.frombuffer(bytearray.fromhex(text), dtype=torch.uint8)
