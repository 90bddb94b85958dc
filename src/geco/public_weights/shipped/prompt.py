"""What Zero123++'s text encoder says to nothing: all that is used of it."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config


class GecoPrompt(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """``states`` (1, tokens, width): the states of the empty prompt, to which a picture's embedding is
    added.
    """

    @register_to_config
    def __init__(self, tokens: int = 77, width: int = 1024) -> None:
        super().__init__()
        self.states = torch.nn.Parameter(torch.zeros(1, tokens, width), requires_grad=False)

    def forward(self) -> Any:
        """The states."""
        return self.states
