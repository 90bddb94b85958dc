"""The whole network: pictures with their cameras to a scene, a scene to densities and colours."""

from __future__ import annotations

import math
import os
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from geco.cameras import INPUT_LENS, intrinsics
from geco.model_files.folder import write_part
from geco.model_files.part import checked_weights, read_part_card
from geco.model_files.state import filled
from geco.reconstruct.pixelnerf.config import FORMAT, PART, PixelNeRFConfig
from geco.reconstruct.pixelnerf.encoder import Encoder
from geco.reconstruct.pixelnerf.point_network import PointNetwork, encoded
from geco.reconstruct.pixelnerf.seen import Cameras, read

# Degrees between which an elevation that was read off a picture is kept.
ELEVATIONS = (-45.0, 60.0)


class Scene(NamedTuple):
    """One batch of objects, ready to be asked.

    Attributes:
        maps: (B, V, F, S / 2, S / 2) features.
        pictures: (B, V, 3, S, S) in [0, 1].
        cameras: of the pictures.
    """

    maps: Tensor
    pictures: Tensor
    cameras: Cameras


class PixelNeRF(nn.Module):
    """One or several pictures of an object -> a radiance field."""

    def __init__(self, config: PixelNeRFConfig | None = None) -> None:
        super().__init__()
        self.config = config or PixelNeRFConfig()
        self.encoder = Encoder(self.config)
        self.points = PointNetwork(self.config)

    def encode(self, pictures: Tensor, cameras: Cameras) -> tuple[Scene, Tensor]:
        """Pictures (B, V, 3, S, S) in [0, 1] on white, and who took them -> the scene, and the elevations
        (B, V) in radians that the network reads off the pictures.
        """
        shape = pictures.shape[:2]
        maps, elevations = self.encoder(pictures.flatten(0, 1))
        return Scene(maps.float().unflatten(0, shape), pictures, cameras), elevations.float().unflatten(
            0, shape
        )

    def seen_alone(self, picture: Tensor) -> Scene:
        """One picture (B, 3, S, S) of which nothing is known: framed as the model's card says, through
        :data:`geco.cameras.INPUT_LENS` from azimuth 0, at the elevation that the network reads off it.
        """
        maps, elevations = self.encoder(picture)
        low, high = (math.radians(degrees) for degrees in ELEVATIONS)
        cameras = cameras_at(elevations.float().clamp(low, high))
        return Scene(maps.float()[:, None], picture[:, None], cameras)

    def trunk(self, scene: Scene, points: Tensor) -> Tensor:
        """World points (B, P, 3) -> (B, P, W), what density and colour are made of."""
        config, places = self.config, scene.cameras.project(points)
        features = torch.cat([read(scene.maps, places), read(scene.pictures, places)], dim=-1)
        code = encoded(scene.cameras.turned(points), config.frequencies, config.frequency)
        return self.points.trunk(features, code)

    def raw_density(self, scene: Scene, points: Tensor) -> Tensor:
        """(B, P, 3) -> (B, P, 1), before softplus(x - 1)."""
        return self.points.raw_density(self.trunk(scene, points))

    def outputs(self, scene: Scene, points: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        """Points and unit directions, both (B, P, 3) in the world -> colours (B, P, 3) in [0, 1] and raw
        densities (B, P, 1).
        """
        trunk = self.trunk(scene, points)
        colors = self.points.colors(trunk, scene.cameras.turned(directions))
        return colors.float(), self.points.raw_density(trunk).float()

    @property
    def raw_level(self) -> float:
        """The surface's density before its activation."""
        return (
            math.log(math.expm1(self.config.level)) + 1 if self.config.level < 30 else self.config.level + 1
        )

    def save(self, folder: str | os.PathLike[str], facts: dict[str, Any] | None = None) -> None:
        """Write ``config.json`` and the weights (float32), each whole or not at all; raises OutputError."""
        tensors = {name: value.detach().float() for name, value in self.state_dict().items()}
        card = {"format": FORMAT, "config": self.config.to_dict(), "facts": facts or {}}
        write_part(folder, PART, tensors, card)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> PixelNeRF:
        """Read what :meth:`save` wrote, in evaluation mode; raises WeightsError."""
        card = read_part_card(folder, FORMAT)
        config = PixelNeRFConfig.from_fields(card.fields("config"))
        return filled(lambda: cls(config), checked_weights(folder, card, PART))


def cameras_at(elevations: Tensor) -> Cameras:
    """One camera an object at azimuth 0 with :data:`geco.cameras.INPUT_LENS`; elevations (B,) in radians."""
    sine, cosine = elevations.sin(), elevations.cos()
    zero, one = torch.zeros_like(sine), torch.ones_like(sine)
    columns = [
        torch.stack([zero, one, zero], dim=-1),
        torch.stack([-sine, zero, cosine], dim=-1),
        torch.stack([cosine, zero, sine], dim=-1),
    ]
    place = columns[2] * INPUT_LENS.radius
    c2w = torch.stack([*columns, place], dim=-1)  # (B, 3, 4)
    last = torch.stack([zero, zero, zero, one], dim=-1)[:, None]
    focal = float(intrinsics(INPUT_LENS.fov)[0, 0])
    lenses = elevations.new_tensor([focal, 0.5, 0.5]).expand(len(elevations), 1, 3)
    return Cameras(torch.cat([c2w, last], dim=1)[:, None], lenses)
