"""The small reconstructor as one module, its files, and its fields."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from geco.cameras import INPUT_ONLY
from geco.model_files.folder import write_part
from geco.model_files.part import checked_weights, read_part_card
from geco.model_files.state import filled
from geco.reconstruct.small.config import FORMAT, PART, SmallReconstructorConfig
from geco.reconstruct.small.encoder import ViewEncoder
from geco.reconstruct.small.field import DISTANCE_SCALE, PointField
from geco.reconstruct.small.volume import VolumeNet


class SceneFeatures(NamedTuple):
    """One batch of objects, ready to be asked.

    Attributes:
        volume: (B, C, R, R, R), axes z, y, x; channel 0 times DISTANCE_SCALE is a coarse signed distance.
        maps: (B, V, M, S, S), RGB in [0, 1] first.
    """

    volume: Tensor
    maps: Tensor


class SmallReconstructor(nn.Module):
    """V views (six; one for a regressor) and the clean input picture -> :class:`SceneFeatures` ->
    distance and colour at points.
    """

    def __init__(self, config: SmallReconstructorConfig | None = None) -> None:
        super().__init__()
        self.config = config or SmallReconstructorConfig()
        self.encoder = ViewEncoder(self.config)
        self.volume_net = VolumeNet(self.config)
        self.field = PointField(self.config)

    def encode(self, views: Tensor, picture: Tensor) -> SceneFeatures:
        """views (B, V, 3, S, S) and picture (B, 3, S, S), both in [0, 1] on white. A regressor
        reads the picture only.
        """
        if self.config.rig == INPUT_ONLY.name:
            views = picture[:, None]
        lift, maps = self.encoder(torch.cat([views, picture[:, None]], dim=1))
        return SceneFeatures(self.volume_net(lift).float(), maps.float())

    def sdf(self, features: SceneFeatures, points: Tensor) -> Tensor:
        """points (B, N, 3) world units -> signed distance (B, N), negative inside."""
        return self.field.sdf(*features, points)

    def color(self, features: SceneFeatures, points: Tensor) -> Tensor:
        """points (B, N, 3) world units -> sRGB (B, N, 3), about [0, 1], not clipped."""
        return self.field.color(*features, points)

    def forward(
        self, views: Tensor, picture: Tensor, points: Tensor, surface: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Signed distance at ``points``, the coarse one there, and colour at ``surface``: what
        training needs.
        """
        features = self.encode(views, picture)
        inside, seen, depth = self.field.sample(features.volume, features.maps, points)
        return (
            self.field.shape(self.field.mix(inside, seen, depth)[1], inside),
            inside[..., 0] * DISTANCE_SCALE,
            self.color(features, surface),
        )

    def save(self, folder: str | os.PathLike[str], facts: dict[str, Any] | None = None) -> None:
        """Write ``config.json`` and the weights (float32), each whole or not at all; raises OutputError."""
        tensors = {name: value.detach().float() for name, value in self.state_dict().items()}
        card = {"format": FORMAT, "config": self.config.to_dict(), "facts": facts or {}}
        write_part(folder, PART, tensors, card)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> SmallReconstructor:
        """Read what :meth:`save` wrote, in evaluation mode.

        Raises:
            WeightsError: a file is missing, changed, truncated, has a wrong setting, or does not fit the
                configuration.
        """
        card = read_part_card(folder, FORMAT)
        config = SmallReconstructorConfig.from_fields(card.fields("config"))
        return filled(lambda: cls(config), checked_weights(folder, card, PART))
