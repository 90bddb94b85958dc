"""Three networks on one frozen backbone: adapters off = teacher, one low-rank adapter = student, another =
generator.

Stage I then needs the memory of one full-size network instead of three, and fits a 24 GB card (our decision;
SwiftBrush and ProlificDreamer train their students so). The low-rank layers are peft's.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from torch import Tensor, nn

from geco.errors import ConfigError, MissingExtraError
from geco.multiview.interface import Condition, ConditionState, MultiViewNetwork
from geco.multiview.schedule import PredictionType

RANK = 64  # SwiftBrush
SCALE = 108 / 64  # SwiftBrush's alpha over its rank; of every rank, or small ones would be enlarged 27 times


class SharedBackbone:
    """A network with low-rank adapters in its linear layers and convolutions.

    Args:
        network: of either family; changed in place and frozen.
        names: of the adapters.
        rank: of each; scale: of the update, whatever the rank.

    Raises:
        MissingExtraError: peft is not installed. ConfigError: nothing in the network can be adapted.
    """

    def __init__(
        self, network: MultiViewNetwork, names: tuple[str, ...], rank: int = RANK, scale: float = SCALE
    ) -> None:
        try:
            from peft import LoraConfig, inject_adapter_in_model
        except ImportError as error:
            raise MissingExtraError("peft", "train", "training with low-rank adapters") from error
        self.network: Any = cast(nn.Module, network).requires_grad_(False)
        targets = [
            name
            for name, module in self.network.named_modules()
            if isinstance(module, (nn.Linear, nn.Conv2d))
        ]
        if not targets:
            raise ConfigError("the network has no layer that an adapter fits", "Train it in full.")
        for name in names:
            alpha = cast(int, scale * rank)  # peft divides it by the rank again
            config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=targets, init_lora_weights=True)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # peft wonders at a second adapter; it is meant
                inject_adapter_in_model(config, self.network, adapter_name=name)
        self._layers: list[Any] = [module for module in self.network.modules() if hasattr(module, "lora_A")]
        for parameter in self.network.parameters():
            parameter.requires_grad_(False)
        for name in names:
            self.parameters_of(name).requires_grad_(True)

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
        """The network as that role sees it, for the time of a forward pass."""
        for layer in self._layers:
            # Assigned rather than set_adapter(): that would also turn gradients on and off.
            layer._disable_adapters = adapter is None
            layer._active_adapter = [adapter] if adapter else []
        yield self.network

    def merged(self, adapter: str) -> Any:
        """A plain copy of the network with the adapter added to its weights: what is saved and exported."""
        whole = copy.deepcopy(self.network)
        for name, layer in list(whole.named_modules()):
            if hasattr(layer, "lora_A"):
                layer.merge(adapter_names=[adapter])
                parent = whole.get_submodule(name.rpartition(".")[0]) if "." in name else whole
                setattr(parent, name.rpartition(".")[2], layer.get_base_layer())
        if hasattr(whole, "peft_config"):
            del whole.peft_config
        return whole.requires_grad_(True)


class Role:
    """A :class:`geco.multiview.interface.MultiViewNetwork`: the backbone with one adapter, or bare.

    Not to be combined with activation checkpointing, which would run the forward pass again under another
    role.
    """

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
