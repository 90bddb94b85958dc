"""Alignment undoes similarities of objects without symmetry; symmetric ones fit as well,
whichever way they are turned.
"""

from __future__ import annotations

import numpy as np
import pytest

from geco.errors import ConfigError, MeshError
from geco.metrics.align import Alignment, align, apply, candidates, common_frame
from geco.metrics.rotations import angle_between, convention_rotations, exponential, spread_rotations
from geco.metrics.surface import Distances
from tests.metrics.solids import MeshArrays, box, chair, joined, sphere


def moved(
    mesh: MeshArrays, rotation: np.ndarray, scale: float, shift: tuple[float, float, float]
) -> MeshArrays:
    """Also with its faces in another order and each corner its own vertex, so that equal seeds
    draw other points.
    """
    vertices = (scale * mesh[0] @ rotation.T + shift)[mesh[1][::-1]].reshape(-1, 3)
    return vertices, np.arange(len(vertices)).reshape(-1, 3)


def error(alignment: Alignment, mesh: MeshArrays, truth: MeshArrays) -> float:
    """Largest distance of a vertex from where it belongs, in longest sides."""
    there = truth[0][truth[1][::-1]].reshape(-1, 3)
    return float(
        np.linalg.norm(apply(alignment.matrix, mesh[0]) - there, axis=1).max()
        / np.ptp(truth[0], axis=0).max()
    )


@pytest.mark.parametrize("seed", range(3))
def test_search_undoes_other_conventions_yaw_scale_and_shift(seed: int) -> None:
    rng = np.random.default_rng(seed)
    up = convention_rotations(10.0)[rng.integers(216)]
    rotation = up @ exponential(np.array([0, 0, rng.uniform(-0.08, 0.08)]))
    mesh = moved(chair(), rotation, float(np.exp(rng.uniform(-3, 3))), tuple(rng.uniform(-9, 9, 3)))
    found = align(mesh, chair(), "search")
    assert error(found, mesh, chair()) < 1e-3 and found.residual < 1e-4
    assert np.linalg.det(found.matrix[:3, :3]) > 0 and found.facts["poses_tried"] == 216
    assert (
        Distances.between_meshes((apply(found.matrix, mesh[0]), mesh[1]), chair(), count=2000).chamfer < 1e-4
    )


@pytest.mark.parametrize("seed", range(2))
def test_search_any_undoes_every_rotation(seed: int) -> None:
    rng = np.random.default_rng(10 + seed)
    mesh = moved(chair(), exponential(rng.normal(size=3) * 2), 0.02, (1, -2, 3))
    assert error(align(mesh, chair(), "search-any"), mesh, chair()) < 1e-3


def test_a_noisy_prediction_is_fitted_better_than_by_its_box() -> None:
    """A rod sticks out of the prediction, so that its box lies about centre and size; the search
    does not mind.
    """
    predicted = joined(chair(), box((0.6, 0.02, 0.02), (0.8, 0.0, 0.0)))
    by_box, found = align(predicted, chair(), "box"), align(predicted, chair(), "search")
    assert found.residual < 0.3 * by_box.residual
    assert np.abs(found.matrix - np.eye(4)).max() < 0.03 < np.abs(by_box.matrix - np.eye(4)).max()


def test_symmetric_objects_fit_and_are_not_turned_without_need() -> None:
    can = sphere(0.5, 24)[0] * [1, 1, 2], sphere(0.5, 24)[1]
    mesh = moved(can, np.eye(3), 3.0, (1, 1, 1))
    found = candidates(mesh, can, k=4)
    assert found[0].residual < 1e-3 and found[0].facts["turned_degrees"] < 1.0
    assert len(found) > 1 and found[1].residual < 2e-3  # the others are there for who can judge by colour
    assert found[1].facts["turned_degrees"] >= 15


def test_mirror_images_are_not_matched_by_a_mirror() -> None:
    mirrored = chair()[0] * [1, -1, 1], chair()[1][:, ::-1]
    found = candidates(mirrored, chair(), k=4)
    assert all(np.linalg.det(a.matrix[:3, :3]) > 0 for a in found) and found[0].residual > 1e-2
    assert [a.residual for a in found] == sorted(a.residual for a in found)


def test_box_and_none() -> None:
    mesh = moved(chair(), np.eye(3), 7.0, (1, 2, 3))
    found = align(mesh, chair(), "box")
    assert error(found, mesh, chair()) < 1e-6 and found.residual < 1e-6
    kept = align(mesh, chair(), "none")
    assert np.array_equal(kept.matrix, np.eye(4)) and kept.residual > 1
    assert align(chair(), chair(), "none").residual < 1e-6
    assert set(found.record()) == {"method", "matrix", "residual", "turned_degrees", "scale", "poses_tried"}
    assert found.record()["scale"] == pytest.approx(1 / 7)


def test_the_result_is_deterministic() -> None:
    mesh = moved(chair(), convention_rotations(10.0)[100], 2.0, (0, 0, 1))
    assert np.array_equal(align(mesh, chair(), "search").matrix, align(mesh, chair(), "search").matrix)


def test_common_frame() -> None:
    vertices = np.concatenate([chair()[0], [[100, 0, 0]]])  # the last one belongs to no face
    framed = apply(common_frame(vertices, chair()[1]), chair()[0])
    assert np.ptp(framed, axis=0).max() == pytest.approx(1)
    assert framed.min(axis=0) + framed.max(axis=0) == pytest.approx([0, 0, 0], abs=1e-12)
    for bad in (np.zeros((4, 3)), np.full((4, 3), np.inf)):
        with pytest.raises(MeshError):
            common_frame(bad)
    with pytest.raises(ConfigError):
        align(chair(), chair(), "guess")  # type: ignore[arg-type]


def test_rotations_are_rotations_and_cover_their_space() -> None:
    conventions, spread = convention_rotations(10.0), spread_rotations()
    for rotations in (conventions, spread):
        assert np.abs(rotations @ rotations.transpose(0, 2, 1) - np.eye(3)).max() < 1e-12
        assert np.linalg.det(rotations) == pytest.approx(1)
    cube = {tuple(np.rint(r).astype(int).ravel()) for r in conventions if np.abs(r - np.rint(r)).max() < 1e-9}
    assert np.array_equal(conventions[0], np.eye(3)) and np.array_equal(spread[0], np.eye(3))
    assert len(cube) == 24 and len({tuple(np.round(r, 6).ravel()) for r in conventions}) == 216
    rng = np.random.default_rng(0)
    gaps = [min(angle_between(r, exponential(turn)) for r in spread) for turn in rng.normal(size=(20, 3)) * 2]
    assert max(gaps) < 25
    assert angle_between(np.eye(3), exponential(np.array([0, 0.3, 0]))) == pytest.approx(np.degrees(0.3))
