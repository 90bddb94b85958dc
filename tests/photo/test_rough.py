"""The model's own surface beside the picture: what its agreement says, and where there is none, why."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from geco.isosurface.flexi_grid import FlexiGrid
from geco.isosurface.grids import grid_from_volume
from geco.photo.input_camera import InputCamera
from geco.photo.rough import rough_of
from geco.photo.surface import surface
from geco.surface_to_asset import AssetOptions, surface_to_asset
from geco.timing import Stopwatch

SIZE = 32


class Box:
    """Dense fields of a grey box that is ``wide`` along y (the half of it)."""

    half_extent = 1.0

    def __init__(self, wide: float) -> None:
        self.halves = np.array((0.4, wide, 0.4), np.float32)

    def dense(self, resolution: int, near: np.ndarray | None = None) -> np.ndarray:
        axis = np.linspace(-1, 1, resolution + 1, dtype=np.float32)
        points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
        return (np.abs(points) - self.halves).max(axis=-1)

    def grid(self, resolution: int) -> FlexiGrid:
        return grid_from_volume(self.dense(resolution), 1.0)

    def color(self, points: np.ndarray) -> np.ndarray:
        return np.full((len(points), 3), 0.5, np.float32)


def box_picture(wide: float) -> np.ndarray:
    """A box from 12 degrees."""
    mesh = surface(Box(wide), SIZE, None).mesh
    mask = InputCamera(12.0, scale=1.2).rasterize(mesh, 96).mask
    grey = np.full((96, 96, 3), 0.5, np.float32)
    return np.concatenate([grey, mask[..., None]], axis=2).astype(np.float32)


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return box_picture(0.7)


def facts_of(fields: Any, picture: np.ndarray, **options: Any) -> dict[str, Any]:
    return surface_to_asset(fields, picture, AssetOptions(**options), SIZE, 64, Stopwatch())[1]


def test_agreement_is_told_of_the_surface_before_it_is_carved(picture: np.ndarray) -> None:
    own, other = facts_of(Box(0.7), picture), facts_of(Box(0.25), picture)
    assert own["agreement"] > 0.9 and other["agreement"] < 0.8
    assert other["agreement"] == round(rough_of(Box(0.25), SIZE, picture).agreement, 4)
    assert other["input_camera"]["iou"] > 0.9, "the finished mesh keeps to the outline all the same"
    assert "agreement_unknown" not in own


def test_where_nothing_is_carved_the_finished_mesh_is_measured(picture: np.ndarray) -> None:
    facts = facts_of(Box(0.7), picture, outline=False)
    assert facts["agreement"] == facts["input_camera"]["iou"] > 0.9


def test_without_a_camera_the_reason_is_said(picture: np.ndarray) -> None:
    facts = facts_of(Box(0.7), picture, outline=False, projection=False)
    assert facts["agreement"] is None and "no camera" in facts["agreement_unknown"]
    assert facts_of(Box(0.7), picture, projection=False)["agreement"] > 0.9


def test_a_camera_that_fits_badly_is_not_taken_yet_its_agreement_told(picture: np.ndarray) -> None:
    thin = np.array(picture)
    thin[:40, :, 3] = thin[42:, :, 3] = 0  # a line, of which the box can be no object
    rough = rough_of(Box(0.7), SIZE, thin)
    assert rough.camera.iou == 0 < rough.agreement < 0.35
