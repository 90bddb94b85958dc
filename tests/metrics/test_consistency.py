"""Views of one painted object agree; views with other content, turned or noisy, do not, and noise
is measured as it is.
"""

from __future__ import annotations

import functools

import numpy as np
import pytest

from geco.cameras import ZERO123PLUS_V12
from geco.errors import ConfigError
from geco.mesh.types import Mesh
from geco.metrics.consistency import consistency
from geco.render.shade_numpy import render_mesh
from tests.metrics.solids import joined, sphere

SIZE, FOV = 96, ZERO123PLUS_V12.fov
POSES = ZERO123PLUS_V12.poses()


@functools.cache
def painted() -> Mesh:
    """Two blobs, one hiding parts of the other, in colours that no turn repeats."""
    vertices, faces = joined(sphere(0.6, 64), sphere(0.25, 32, (0.5, 0.5, 0.2)))
    colors = 0.5 + 0.4 * np.sin(4 * vertices[:, [0, 1, 2]] + 2 * vertices[:, [1, 2, 0]] + [0, 1, 2])
    return Mesh(vertices, faces, colors=colors.astype(np.float32))


@functools.cache
def rendered() -> np.ndarray:
    """(6, SIZE, SIZE, 4), colour on white and coverage."""
    straight = np.stack([render_mesh(painted(), pose, FOV, SIZE, engine="numba") for pose in POSES])
    return np.concatenate(
        [straight[..., :3] * straight[..., 3:] + 1 - straight[..., 3:], straight[..., 3:]], axis=-1
    )


def shape() -> tuple[np.ndarray, np.ndarray]:
    return painted().vertices, painted().faces


def test_views_of_one_object_agree() -> None:
    found = consistency(rendered()[..., :3], POSES, FOV, shape(), masks=rendered()[..., 3])
    assert found.rmse < 0.005 and found.mean_abs < 0.003 and found.relative < 0.02
    assert found.pairs > 1000 and 0.2 < found.coverage < 0.9
    assert found.silhouette_iou > 0.97 and len(found.silhouettes) == 6
    assert consistency(rendered()[..., :3], POSES, FOV, shape()).rmse < 0.005  # without masks too


def test_swapped_turned_and_unrelated_views_do_not() -> None:
    views = rendered()[..., :3]
    swapped = consistency(np.roll(views, 1, axis=0), POSES, FOV, shape())
    turned = consistency(views[:, :, ::-1], POSES, FOV, shape())
    unrelated = consistency(np.random.default_rng(0).random(views.shape), POSES, FOV, shape())
    for bad in (swapped, turned, unrelated):
        assert bad.rmse > 0.2 and bad.relative > 0.7
    assert unrelated.relative == pytest.approx(1.0, abs=0.05)
    assert swapped.silhouette_iou < 0.95


def test_one_wrong_view_costs_less_than_six() -> None:
    one = rendered()[..., :3].copy()
    one[2] = 1 - one[2]
    part = consistency(one, POSES, FOV, shape()).rmse
    assert 0.05 < part < consistency(np.roll(rendered()[..., :3], 1, axis=0), POSES, FOV, shape()).rmse


def test_noise_is_measured_as_it_is() -> None:
    """Independent noise of deviation s differs by s sqrt(1 + a) between views; bilinear lookup
    averages it to 4/9 <= a <= 1.
    """
    rng, views = np.random.default_rng(0), rendered()[..., :3]
    scores = {}
    for deviation in (0.02, 0.05, 0.1, 0.2):
        scores[deviation] = consistency(
            views + rng.normal(0, deviation, views.shape), POSES, FOV, shape()
        ).rmse
        assert np.sqrt(1 + 4 / 9) * 0.95 < scores[deviation] / deviation < np.sqrt(2)
    assert list(scores.values()) == sorted(scores.values())


def test_an_offset_of_one_view_is_exact() -> None:
    """Five views of one grey and one 0.3 brighter: pairs with that view differ by 0.3, others by 0."""
    views = np.full((6, SIZE, SIZE, 3), 0.4, np.float32)
    views[0] += 0.3
    found = consistency(views, POSES, FOV, shape())
    share = found.mean_abs / 0.3
    assert found.rmse == pytest.approx(0.3 * np.sqrt(share), rel=1e-3) and 0.2 < share < 0.5
    # flat grey agrees for nothing
    assert np.isnan(consistency(np.full_like(views, 0.4), POSES, FOV, shape()).relative)


def test_masks_keep_missing_parts_out_of_the_colours() -> None:
    views, masks = rendered()[..., :3].copy(), rendered()[..., 3].copy()
    views[1, :, : SIZE // 2], masks[1, :, : SIZE // 2] = 1.0, 0.0  # half the object is missing in one view
    with_masks, without = (
        consistency(views, POSES, FOV, shape(), masks),
        consistency(views, POSES, FOV, shape()),
    )
    assert with_masks.rmse < 0.005 < 0.05 < without.rmse
    assert with_masks.silhouettes[1] < 0.7 < 0.97 < with_masks.silhouettes[0]


def test_a_wrong_surface_shows() -> None:
    larger = shape()[0] * np.float32(1.25), shape()[1]
    found = consistency(rendered()[..., :3], POSES, FOV, larger, masks=rendered()[..., 3])
    assert found.rmse > 0.03 and found.silhouette_iou < 0.75


def test_nonsense_is_refused() -> None:
    views = rendered()[..., :3]
    for bad, poses in (
        (views[:1], POSES[:1]),
        (views[:, :50], POSES),
        (views, POSES[:5]),
        (views[..., :2], POSES),
    ):
        with pytest.raises(ConfigError):
            consistency(bad, poses, FOV, shape())
