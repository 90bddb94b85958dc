"""A tiny small model with random weights, exported once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from geco.model_files.card import Usage, write_model_card
from geco.multiview.small.config import SmallConfig
from geco.multiview.small.network import SmallMultiView
from geco.multiview.small.weights import save_small
from geco.onnx_runtime.export import export_small
from geco.reconstruct.small.config import SmallReconstructorConfig
from geco.reconstruct.small.model import SmallReconstructor
from geco.sampling import Sampling

SIZE = 16
USAGE = Usage(16, 64, Sampling("ddim", steps=3, guidance_scale=2.0, clip=1.0))


def randomize(module: torch.nn.Module, seed: int) -> None:
    """Random values everywhere: layers that start at zero would hide mistakes."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        fan = max(parameter[0].numel(), 1) if parameter.ndim > 1 else 16
        parameter.data = torch.randn(parameter.shape, generator=generator) * (1.2 / fan**0.5)
        parameter.data = parameter.data.half().float()


@pytest.fixture(scope="session")
def networks() -> tuple[SmallMultiView, SmallReconstructor]:
    views = SmallMultiView(
        SmallConfig(size=SIZE, patch=2, channels=16, width=24, stages=2, heads=3, embedding=32)
    )
    model = SmallReconstructor(
        SmallReconstructorConfig(
            view_size=SIZE,
            widths=(8, 16, 16),
            volume_size=8,
            volume_widths=(8, 16, 16),
            lift_channels=4,
            map_channels=8,
            volume_channels=4,
            view_hidden=8,
            point_hidden=16,
            color_hidden=16,
        )
    )
    randomize(views, 0)
    randomize(model, 1)
    return views.eval(), model.eval()


@pytest.fixture(scope="session")
def exported(networks: tuple[SmallMultiView, SmallReconstructor], tmp_path_factory: Any) -> Path:
    """The exported folder."""
    folder = tmp_path_factory.mktemp("exported")
    save_small(networks[0], folder / "torch" / "multiview")
    networks[1].save(folder / "torch" / "reconstructor")
    write_model_card(folder / "torch", "small", "test", USAGE.to_dict())
    export_small(folder / "torch", folder / "onnx")
    return folder / "onnx"
