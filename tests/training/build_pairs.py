"""A few pairs of views, and a ball to render."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from geco.cameras import INPUT_FOV
from geco.multiview.one_step import OneStepGenerator
from geco.multiview.small.codec import PixelCodec
from geco.reconstruct.small.config import SmallReconstructorConfig
from geco.reconstruct.small.differentiable import soft_mesh
from geco.reconstruct.small.model import SmallReconstructor
from geco.render.shade_torch import render_mesh
from geco.training.pair_maker import PairMaker
from geco.training.pair_work import Bounds, Made, make_pairs
from geco.training.pairs import PairOptions
from tests.training.build import tiny_teacher

CONFIG = SmallReconstructorConfig(
    view_size=16,
    widths=(8, 8, 8),
    lift_channels=4,
    map_channels=5,
    volume_size=8,
    volume_widths=(8, 8, 8),
    volume_channels=4,
    view_hidden=4,
    point_hidden=8,
    color_hidden=8,
)
PAIRS = PairOptions(steps=3, guidance_scale=2.0, clip=1.0, renders=5, chunk=2, size=16)
CODEC = PixelCodec(16)
QUIET = Bounds(shown=False)


def ball(size: float = 0.6) -> SmallReconstructor:
    """A reconstructor whose volume says "a ball", with random weights elsewhere."""
    torch.manual_seed(3)
    model = SmallReconstructor(CONFIG).eval()
    steps = (torch.arange(8) + 0.5) / 4 - 1
    radius = torch.stack(torch.meshgrid(steps, steps, steps, indexing="ij")).norm(dim=0)
    volume = model.volume_net

    def look_around(voxels: Tensor) -> Tensor:
        found = type(volume).look_around(volume, voxels)
        return torch.cat([found[:, :1] * 0.1 + 10 * (radius - size), found[:, 1:]], dim=1)

    volume.look_around = look_around  # type: ignore[method-assign]
    return model


def mesh_of(model: SmallReconstructor) -> object:
    def mesh(views: Tensor, picture: Tensor) -> object:
        surface = soft_mesh(model, model.encode(views[None], picture[None]), 16)
        return surface.vertices, surface.faces, surface.color

    return mesh


def pictures(number: int) -> tuple[str, Tensor]:
    return f"object-{number % 3}", torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(number % 3))


def write(
    folder: Path,
    count: int | range = 4,
    options: PairOptions = PAIRS,
    generator: OneStepGenerator | None = None,
    bounds: Bounds = QUIET,
) -> Made:
    model = ball()
    mesh = mesh_of(model)

    def render(views: Tensor, picture: Tensor, poses: Tensor) -> dict[str, Tensor]:
        vertices, faces, color = mesh(views, picture)  # type: ignore[operator]
        return vars(render_mesh(vertices, faces, poses, INPUT_FOV, options.size, color))

    maker = PairMaker(tiny_teacher().eval(), CODEC, pictures, render, generator)
    return make_pairs(maker, options, count, folder, bounds)
