"""PixelNeRF on torch: a regressor, whose one "view" is the picture itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from geco.backend import ModelCard
from geco.device import Placement, tf32
from geco.model_files.card import RECONSTRUCTOR, usage_of
from geco.multiview.small.codec import PixelCodec
from geco.multiview.small.config import SmallConfig
from geco.reconstruct.fields import SurfaceFields
from geco.torch_runtime.backend import TorchBackend
from geco.torch_runtime.pictures import DevicePictures


def pixelnerf_backend(folder: Path, card: dict[str, Any], placement: Placement, name: str) -> TorchBackend:
    """In float32; on CUDA with TF32's products."""
    from geco.reconstruct.pixelnerf.model import PixelNeRF
    from geco.reconstruct.pixelnerf.surface import PixelNeRFSurface

    device, usage = placement.device, usage_of(card, folder)
    model = PixelNeRF.load(folder / RECONSTRUCTOR).to(device)
    size = model.config.view_size

    def reconstruct(_: Tensor, picture: DevicePictures) -> SurfaceFields:
        with tf32(device):
            return PixelNeRFSurface(model, model.seen_alone(picture.on(device)[None]))

    described = ModelCard(
        name,
        size,
        SmallConfig.foreground_ratio,
        usage.resolution,
        usage.texture_size,
        card["licence"],
        card["facts"],
    )
    return TorchBackend(described, None, PixelCodec(size), None, reconstruct, device)
