"""Three networks on one frozen backbone: adapters off = teacher, one low-rank adapter = student, another =
generator.

Stage I then needs the memory of one full-size network instead of three, and fits a 12 GB card (our decision;
SwiftBrush and ProlificDreamer train their students so). The low-rank layers are peft's.
"""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from geco.errors import ConfigError, MissingExtraError
from geco.multiview.interface import Condition, ConditionState, MultiViewNetwork
from geco.multiview.schedule import PredictionType
from geco.training.copies import copy_of, in_format, really

RANK = 64  # SwiftBrush
SCALE = 108 / 64  # SwiftBrush's alpha over its rank; of every rank, or small ones would be enlarged 27 times


class SharedBackbone:
    """A network with low-rank adapters in its linear layers and convolutions.

    Args:
        network: of either family; changed in place and frozen.
        names: of the adapters, whose weights are float32.
        rank: of each.
        alpha: an update is scaled by alpha / rank; None for :data:`SCALE` times the rank.
        dtype: of the frozen weights; None leaves them as they are.

    Raises:
        MissingExtraError: peft is not installed. ConfigError: nothing in the network can be adapted.
    """

    def __init__(
        self,
        network: MultiViewNetwork,
        names: tuple[str, ...],
        rank: int = RANK,
        alpha: float | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        self.network: Any = cast(nn.Module, network).requires_grad_(False)
        if dtype is not None:
            in_format(self.network, dtype)
        self._adapter: str | None = None  # whose pass it is; none between passes
        self._layers = _inject(self.network, names, rank, SCALE * rank if alpha is None else alpha)
        self._switch(None)

    def role(self, adapter: str | None) -> Role:
        """The network with one adapter, or bare."""
        return Role(self, adapter)

    def parameters_of(self, adapter: str) -> nn.ParameterDict:
        """An adapter's own parameters, under names that fit a ParameterDict."""
        own = {
            name.replace(".", "/"): p for name, p in self.network.named_parameters() if f".{adapter}." in name
        }
        return nn.ParameterDict(own)

    @contextmanager
    def active(self, adapter: str | None) -> Iterator[Any]:
        """The network as that role sees it, for the time of a pass; then as it was before."""
        before = self._adapter
        self._switch(adapter)
        try:
            yield self.network
        finally:
            self._switch(before)

    def recomputed(self, module: nn.Module, *tensors: Any) -> Any:
        """``module`` of ``tensors``, without keeping its activations: the backward pass computes them again,
        by the role that is active now, whichever passes were made since.
        """
        role = self._adapter
        contexts = lambda: (contextlib.nullcontext(), self.active(role))  # noqa: E731
        return checkpoint(module.__call__, *tensors, use_reentrant=False, context_fn=contexts)

    def merged(self, adapter: str) -> Any:
        """A plain copy of the network with the adapter added to its weights, in float32 on the host: what is
        saved and exported. An update that bfloat16 would round away is kept.
        """
        whole: Any = copy_of(self.network, torch.float32, "cpu")
        for name, layer in list(whole.named_modules()):
            if hasattr(layer, "lora_A"):
                plain = layer.get_base_layer()
                plain.weight.data += layer.get_delta_weight(adapter).detach()
                parent = whole.get_submodule(name.rpartition(".")[0]) if "." in name else whole
                setattr(parent, name.rpartition(".")[2], plain)
        if hasattr(whole, "peft_config"):
            del whole.peft_config
        return whole.requires_grad_(True)

    def _switch(self, adapter: str | None) -> None:
        self._adapter = adapter
        for layer in self._layers:
            # Assigned rather than set_adapter(): that would also turn gradients on and off.
            layer._disable_adapters = adapter is None
            layer._active_adapter = [adapter] if adapter else []

    def __deepcopy__(self, memo: dict[int, Any]) -> SharedBackbone:
        """Itself: a copied network's layers remember who recomputes them, and need no second one."""
        return self


class Role:
    """A :class:`geco.multiview.interface.MultiViewNetwork`: the backbone with one adapter, or bare."""

    def __init__(self, backbone: SharedBackbone, adapter: str | None) -> None:
        self.backbone, self.adapter = backbone, adapter
        network = backbone.network
        self.native_prediction: PredictionType = network.native_prediction
        self.schedule, self.sample_shape = network.schedule, network.sample_shape
        self.noised_reference: bool = network.noised_reference
        # What the loop trains, averages and stores: the adapter's parameters alone.
        self.module = backbone.parameters_of(adapter) if adapter else nn.ParameterDict()

    def encode_condition(
        self, condition: Condition, t: Tensor | None = None, noise: Tensor | None = None
    ) -> ConditionState:
        """The write pass."""
        with self.backbone.active(self.adapter) as network:
            return cast(ConditionState, network.encode_condition(condition, t, noise))

    def predict(
        self, x_t: Tensor, t: Tensor, state: ConditionState, prediction_type: PredictionType
    ) -> Tensor:
        """The read pass."""
        with self.backbone.active(self.adapter) as network:
            return cast(Tensor, network.predict(x_t, t, state, prediction_type))


def _inject(network: nn.Module, names: tuple[str, ...], rank: int, alpha: float) -> list[Any]:
    """Put adapters of these names beside every linear layer and convolution; the layers that have them now.

    Their weights are float32 and where the layer's are: one factor as torch's own layers start, the other 0.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise MissingExtraError("peft", "train", "training with low-rank adapters") from error
    kinds = (nn.Linear, nn.Conv2d)
    targets = [name for name, module in network.named_modules() if isinstance(module, kinds)]
    if not targets:
        raise ConfigError("the network has no layer that an adapter fits", "Train it in full.")
    # peft takes any alpha, and divides it by the rank
    config = LoraConfig(r=rank, lora_alpha=cast(int, alpha), target_modules=targets)
    for name in names:
        with warnings.catch_warnings(), really():
            warnings.simplefilter("ignore")  # peft wonders at a second adapter; it is meant
            # on "meta": peft would give them the layer's own format
            inject_adapter_in_model(config, network, adapter_name=name, low_cpu_mem_usage=True)
    layers: list[Any] = [module for module in network.modules() if hasattr(module, "lora_A")]
    for layer in layers:
        device = layer.get_base_layer().weight.device
        for factors, begin in ((layer.lora_A, _as_torch_begins), (layer.lora_B, nn.init.zeros_)):
            for name in names:
                begun = begin(torch.empty(factors[name].weight.shape))
                factors[name].weight = nn.Parameter(begun.to(device))
    return layers


def _as_torch_begins(weight: Tensor) -> Tensor:
    return nn.init.kaiming_uniform_(weight, a=math.sqrt(5))  # nn.Linear and nn.Conv2d, and peft
