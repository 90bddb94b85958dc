"""The full family on torch: Zero123++ and InstantMesh, joined."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from geco.backend import ModelCard
from geco.cameras import camera_vectors, rig
from geco.device import Placement
from geco.model_files.card import CARD, MULTIVIEW, RECONSTRUCTOR, usage_of
from geco.reconstruct.fields import SurfaceFields
from geco.torch_runtime.backend import TorchBackend

# Cubes a side and texture of the full model: InstantMesh's released grid (its configs), and a texture its 320
# px views can fill.
FULL_RESOLUTION, FULL_TEXTURE_SIZE, FULL_PICTURE_SIZE, FULL_VIEW_SIZE = 128, 1024, 512, 320


def full_backend(folder: Path, card: dict[str, Any], placement: Placement, name: str) -> TorchBackend:
    """Zero123++ in the placement's format and InstantMesh in float32 (a twentieth of the work)."""
    from geco.public_weights import instantmesh
    from geco.public_weights.zero123plus_folder import load_zero123plus

    usage, device = usage_of(card, folder), placement.device
    views = load_zero123plus(folder / MULTIVIEW, device, placement.dtype)
    model = instantmesh.load(folder / RECONSTRUCTOR, device)
    cameras = rig(views.card["rig"])
    vectors = torch.from_numpy(camera_vectors(cameras.poses(), cameras.fov))[None].to(device)

    def reconstruct(pictures: Tensor, _: Tensor) -> SurfaceFields:
        return model.surfaces(pictures, vectors)[0]

    facts = {"rig": cameras.name, **card["facts"]}
    described = ModelCard(
        name,
        FULL_PICTURE_SIZE,
        views.card["foreground_ratio"],
        usage.resolution,
        usage.texture_size,
        card["licence"],
        facts,
        views.codec.background,
        FULL_VIEW_SIZE,
    )
    sampling = usage.drawing(f"{folder / CARD}: facts")
    return TorchBackend(described, views.network, views.codec, sampling, reconstruct, device)
