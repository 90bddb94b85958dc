"""The small family on torch, straight from training or from the package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from geco.device import Placement
from geco.model_files.card import CARD, MULTIVIEW, RECONSTRUCTOR
from geco.reconstruct.fields import SurfaceFields
from geco.small_model import read_small_model
from geco.torch_runtime.backend import TorchBackend
from geco.torch_runtime.pictures import DevicePictures


def small_backend(folder: Path, _: dict[str, Any], placement: Placement, name: str) -> TorchBackend:
    """The small family, straight from training: float32 weights, computed in bfloat16 where that
    is asked for.
    """
    from geco.multiview.small.codec import PixelCodec
    from geco.multiview.small.weights import load_small
    from geco.reconstruct.small.model import SmallReconstructor
    from geco.reconstruct.small.surface import fields_of

    about, device = read_small_model(folder), placement.device
    model = SmallReconstructor.load(folder / RECONSTRUCTOR).to(device)
    network = load_small(folder / MULTIVIEW, device) if about.views else None

    def reconstruct(pictures: Tensor, picture: DevicePictures) -> SurfaceFields:
        return fields_of(model, model.encode(pictures, picture.on(device)[None]))

    return TorchBackend(
        about.described(name),
        network,
        PixelCodec(model.config.view_size),
        about.usage.drawing(f"{folder / CARD}: facts") if network is not None else None,
        reconstruct,
        device,
        # float32 weights, products and convolutions in bfloat16
        lambda: torch.autocast(device.type, torch.bfloat16, placement.dtype == torch.bfloat16),
    )
