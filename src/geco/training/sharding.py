"""Networks in pieces: every process keeps its share of weights, gradients, optimiser's state and average, and
gathers whole weights where a pass needs them (FSDP2, torch's ``fully_shard``).

accelerate's plugin for it takes one network and its optimiser, and no CPU; Stage I has three networks that
take turns, so torch is asked directly.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn

from geco.errors import ConfigError
from geco.training.copies import copy_of

# The ways into a multi-view network beside forward(): whole weights are there inside them.
ENTRANCES = ("encode_condition", "predict")


class Sharding:
    """The sharded networks of one process; the processes' group must be there.

    Args:
        device: of the weights.
        world: how many processes share them.

    Raises:
        ConfigError: this torch has no FSDP2.
    """

    def __init__(self, device: torch.device, world: int) -> None:
        try:
            from torch.distributed.device_mesh import init_device_mesh
            from torch.distributed.fsdp import fully_shard
        except ImportError as error:
            raise ConfigError(
                f"torch {torch.__version__} has no fully_shard", "Take torch 2.6, or parallel=ddp."
            ) from error
        self._mesh = init_device_mesh(device.type, (world,))
        self._fully_shard: Any = fully_shard
        self._plain: list[tuple[nn.Module, nn.Module]] = []  # each network, and its like without weights

    def shard(self, network: nn.Module) -> None:
        """In place; its parameters are others afterwards, so optimisers are made later. ``network.units``
        names the modules that are gathered one after another, in the order of a pass; without any all of it
        is gathered at once.
        """
        from torch.distributed.fsdp import register_fsdp_forward_method

        self._plain.append((network, copy_of(network, device="meta")))
        units = list(getattr(network, "units", ()))
        for module in (*units, network):
            self._fully_shard(module, mesh=self._mesh)
        for module in _sharded(network):
            module.set_gradient_divide_factor(1.0)  # the loss is divided already
            module.set_force_sum_reduction_for_comms(True)  # gloo knows no other
        if units:
            # A write pass ends with the last attention's tokens: nothing behind it has a gradient that would
            # announce the last unit's turn, so that its weights stay from the read pass on.
            cast(Any, units[-1]).set_reshard_after_backward(False)
        for name in ENTRANCES:
            if hasattr(network, name):
                register_fsdp_forward_method(network, name)
        # a pass returns views of its result, and nobody changes them in place
        warnings.filterwarnings("ignore", message="FSDP2-wrapped module .* returned a view tensor")

    def settle(self) -> None:
        """Let go of all gathered weights: parameters are pieces again."""
        for network, _ in self._plain:
            for module in _sharded(network):
                module.reshard()

    def whole(self, network: nn.Module, leads: bool) -> nn.Module | None:
        """A plain copy on the CPU where ``leads``; every process must call, and gives its pieces."""
        self.settle()
        plain = next((like for other, like in self._plain if other is network), None)
        if plain is None:
            return network if leads else None
        state: dict[str, Tensor] = {}
        for name, value in network.state_dict().items():
            full = value.full_tensor() if is_piece(value) else value
            if leads:
                state[name] = full.cpu()
        if not leads:
            return None
        copied = copy_of(plain)
        copied.load_state_dict(state, assign=True)
        for name, buffer in network.named_buffers():  # not all are in the state
            owner, _, leaf = name.rpartition(".")
            copied.get_submodule(owner)._buffers[leaf] = buffer.cpu()
        return copied


def is_piece(tensor: Tensor) -> bool:
    """Whether other processes hold the rest of it."""
    return hasattr(tensor, "full_tensor")


def local(tensor: Tensor) -> Tensor:
    """What this process holds of it, sharing its memory."""
    return cast(Tensor, cast(Any, tensor).to_local()) if is_piece(tensor) else tensor


def piece_like(piece: Tensor, mine: Tensor) -> Tensor:
    """``mine`` as this process's part of a tensor cut as ``piece`` is; ``mine`` where that is whole."""
    if not is_piece(piece):
        return mine
    from torch.distributed.tensor import DTensor

    like = cast(DTensor, piece)
    return DTensor.from_local(
        mine, like.device_mesh, like.placements, run_check=False, shape=like.shape, stride=like.stride()
    )


def _sharded(network: nn.Module) -> Iterator[Any]:
    from torch.distributed.fsdp import FSDPModule

    return (module for module in network.modules() if isinstance(module, FSDPModule))
