"""TripoSR on torch: a regressor, whose one "view" is the picture itself."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from geco.backend import ModelCard
from geco.device import Placement, tf32
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
    """The products of encoder and backbone in the placement's format; all else stays in float32: norms, what
    blocks add to, and the decoder, since a density is an exponential of what it says.
    """
    from geco.public_weights import triposr

    model, device = triposr.load(folder / RECONSTRUCTOR, placement.device), placement.device
    if device.type == "cpu":
        model.pack(placement.dtype)
    usage, size = usage_of(card, folder), model.config.cond_image_size

    def reconstruct(_: Tensor, picture: DevicePictures) -> SurfaceFields:
        with _products(device, placement.dtype):
            planes = model(picture.on(device)[None])[0]
        return TripoSRSurface(model, planes)

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
    return TorchBackend(described, None, PixelCodec(size), None, reconstruct, device)


def _products(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[object]:
    """A context with matrix products in ``dtype``; on a CPU they were packed in it."""
    if device.type == "cpu":
        return nullcontext()
    return tf32(device) if dtype == torch.float32 else torch.autocast(device.type, dtype)
