"""TripoSR on torch: a regressor, whose one "view" is the picture itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from geco.backend import ModelCard
from geco.device import Placement
from geco.images.prepare import ZERO123PLUS_RATIO
from geco.model_files.card import RECONSTRUCTOR, usage_of
from geco.multiview.small.codec import PixelCodec
from geco.reconstruct.fields import SurfaceFields
from geco.reconstruct.triposr.surface import TripoSRSurface
from geco.torch_runtime.backend import TorchBackend
from geco.torch_runtime.pictures import DevicePictures

# The grey that the public code lays a cut-out over before it makes 8 bits of it (run.py); its foreground
# ratio is Zero123++'s, which took it from there.
BACKGROUND = 0.5


def triposr_backend(folder: Path, card: dict[str, Any], placement: Placement, name: str) -> TorchBackend:
    """What makes the planes in the placement's format, the decoder in float32."""
    from geco.public_weights import triposr

    model = triposr.load(folder / RECONSTRUCTOR, placement.device, placement.dtype)
    usage, size = usage_of(card, folder), model.config.cond_image_size

    def reconstruct(_: Tensor, picture: DevicePictures) -> SurfaceFields:
        return TripoSRSurface(model, model(picture.on(placement.device)[None])[0])

    described = ModelCard(
        name,
        size,
        ZERO123PLUS_RATIO,
        usage.resolution,
        usage.texture_size,
        card["licence"],
        card["facts"],
        BACKGROUND,
        size,
        eight_bits=True,
    )
    return TorchBackend(described, None, PixelCodec(size), None, reconstruct, placement.device)
