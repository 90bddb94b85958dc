"""TripoSR through the pipeline, as a model folder: a known density comes out the right way round."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from geco.pipeline import GecoPipeline
from geco.public_weights import triposr
from geco.surface_to_asset import AssetOptions
from tests.public_weights import triposr_folder
from tests.reconstruct import tiny

SIZE = 32


def outlines() -> tuple[Tensor, Tensor, Tensor]:
    """Of an object that looks different from every side and upside down: xy, xz, yz, rows along the later
    axis.
    """
    axis = (torch.arange(SIZE) + 0.5) / SIZE * 2 - 1
    low, high = axis[None, :], axis[:, None]  # the earlier axis across, the later one down
    box = (low.abs() < 0.6) & (high.abs() < 0.6)
    xy = box & ~((low > 0.1) & (high > 0.2))  # nothing at +x, +y
    xz = box & ~((low < -0.2) & (high > 0.3))  # nothing at -x, +z
    yz = box & ~((low < 0.0) & (high < -0.1))  # nothing at -y, -z
    return xy, xz, yz


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("triposr")
    source = triposr_folder.write(place / "release", tiny.triposr_shape(*outlines()))
    triposr.convert(source, place / "model")
    return place / "model"


def picture() -> np.ndarray:
    """What the input camera sees of it: +y to the right, +z up."""
    yz = outlines()[2].numpy()[::-1]
    rgba = np.zeros((SIZE * 4, SIZE * 4, 4), np.uint8)
    rgba[..., :3] = (200, 60, 40)
    rgba[..., 3] = np.kron(yz, np.ones((4, 4))) * 255
    return rgba


def test_a_known_density_comes_out_the_right_way_round(folder: Path) -> None:
    pipeline = GecoPipeline.from_pretrained(folder)
    assert pipeline.card.background == 0.5
    assert pipeline.card.licence.endswith("MIT)")
    asset = pipeline(picture(), options=AssetOptions(resolution=64, texture_size=128, projection=False))
    vertices = asset.mesh.vertices
    assert np.abs(vertices).max() == pytest.approx(0.6, abs=0.06)
    for (first, second), outline in zip(((0, 1), (0, 2), (1, 2)), outlines()):
        for corner in [(-1, -1), (-1, 1), (1, -1), (1, 1)]:
            wanted = outline[int((corner[1] * 0.5 + 1) / 2 * SIZE), int((corner[0] * 0.5 + 1) / 2 * SIZE)]
            there = (vertices[:, first] * corner[0] > 0.45) & (vertices[:, second] * corner[1] > 0.45)
            assert there.any() == bool(wanted), (first, second, corner)
    assert asset.mesh.texture is not None
    middle = asset.mesh.texture[asset.mesh.texture.sum(axis=2) > 0].mean(axis=0) / 255
    np.testing.assert_allclose(middle, torch.sigmoid(torch.tensor([2.0, 0.0, -2.0])), atol=0.02)
