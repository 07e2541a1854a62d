"""A model that no worker need hold whole: weights, gradients and the optimizer's memory in shards.

Fully sharded data-parallel training (Zhao et al. 2023, "PyTorch FSDP"), that is the third stage of
Rajbhandari et al. 2020, "ZeRO": every worker owns a part of each tensor, and its neighbours' parts
are fetched for as long as they are computed with.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.utils import clip_grads_with_norm_

from training.models.seq2seq import Seq2Seq
from training.optimizer import OptimizerConfig, build_optimizer, build_optimizer_of

Quantities = dict[str, Tensor]


class Shards:
    """This worker's part of a model in training, and on the first worker the whole to save.

    model: computes with whole weights, owns a shard of each. optimizer: moves the shards.
    """

    def __init__(
        self, model: Seq2Seq, optimizer: torch.optim.Optimizer, config: OptimizerConfig, update: int
    ) -> None:
        state = optimizer.state_dict()["state"]
        self.gathered_at = update
        self._whole: tuple[Seq2Seq, torch.optim.AdamW] | None = None
        if dist.get_rank() == 0:
            whole = copy.deepcopy(model).cpu()
            self._whole = whole, build_optimizer(whole, config)
            self._remember(state)
        self._device = next(model.parameters()).device
        self.model = _sharded(model, self._device)
        self._weights = _trainable(self.model)
        self._locals = [nn.Parameter(cast(DTensor, one).to_local()) for one in self._weights]
        self.optimizer = build_optimizer_of(self._locals, config)
        groups = self.optimizer.state_dict()["param_groups"]
        mine = {index: self._cut(index, values) for index, values in state.items()}
        self.optimizer.load_state_dict({"state": mine, "param_groups": groups})

    def add_up(self, total: Tensor, max_norm: float) -> Tensor:
        """Add the others' scalar; clip the gradients, which are added up already; their norm."""
        squares = torch.zeros_like(total)
        for shard, weights in zip(self._locals, self._weights, strict=True):
            shard.grad = None if weights.grad is None else cast(DTensor, weights.grad).to_local()
            weights.grad = None
            if shard.grad is not None:
                squares += shard.grad.float().square().sum()
        sums = torch.stack([total, squares])
        dist.all_reduce(sums)
        total.copy_(sums[0])
        norm = sums[1].sqrt()
        clip_grads_with_norm_(self._locals, max_norm, norm)
        return norm

    @property
    def whole(self) -> tuple[Seq2Seq, torch.optim.Optimizer]:
        """Model and optimizer as one worker would have them, on the first worker's CPU.

        They are those of the update `gathered_at`.
        """
        assert self._whole is not None  # nosec B101 # only the first worker asks
        return self._whole

    @torch.no_grad()
    def gather(self, update: int) -> None:
        """Bring `whole` up to this update; all workers call it together."""
        for index, weights in enumerate(self._weights):
            full = cast(DTensor, weights).full_tensor()
            if self._whole:
                _trainable(self._whole[0])[index].copy_(full)
        state = self.optimizer.state_dict()["state"]
        found = {index: self._join(index, state[index]) for index in sorted(state)}
        if self._whole:
            self._remember(found)
        self.gathered_at = update

    @contextmanager
    def on_device(self) -> Iterator[Seq2Seq]:
        """The whole model, where it computes quickly."""
        model, _ = self.whole
        try:
            yield model.to(self._device)
        finally:
            model.cpu()

    def _remember(self, state: dict[int, Quantities]) -> None:
        _, optimizer = self.whole
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": state, "param_groups": groups})

    def _cut(self, index: int, quantities: Quantities) -> Quantities:
        """This worker's shards of what the optimizer knows of one tensor."""
        like = cast(DTensor, self._weights[index])
        return {
            name: distribute_tensor(
                value, like.device_mesh, like.placements, src_data_rank=None
            ).to_local()
            if value.shape == like.shape
            else value
            for name, value in quantities.items()
        }

    def _join(self, index: int, quantities: Quantities) -> Quantities:
        """The reverse: whole tensors, on the CPU."""
        like = cast(DTensor, self._weights[index])
        return {
            name: DTensor.from_local(
                *(value, like.device_mesh, like.placements),
                run_check=False,
                shape=like.shape,
                stride=like.stride(),
            )
            .full_tensor()
            .cpu()
            if value.shape == self._locals[index].shape
            else value
            for name, value in quantities.items()
        }


def _trainable(model: nn.Module) -> list[nn.Parameter]:
    return [weights for weights in model.parameters() if weights.requires_grad]


def _sharded(model: Seq2Seq, device: torch.device) -> Seq2Seq:
    """Shard a model in place; gradients are summed over workers, not averaged."""
    mesh = init_device_mesh(device.type, (dist.get_world_size(),))
    for part in (*model.separable(), model):
        sharded: Any = fully_shard(part, mesh=mesh)
        assert isinstance(sharded, FSDPModule)  # nosec B101 # for mypy
        sharded.set_gradient_divide_factor(1.0)
        sharded.set_force_sum_reduction_for_comms(True)  # gloo has no other
    register_fsdp_forward_method(model, "hidden")  # objectives call this, not `forward`
    return model
