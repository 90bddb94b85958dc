"""View sets: reference cameras end to end, nothing outside the frame, plain facts, the small
recipe's stored cameras.
"""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from geco.cameras import ZERO123PLUS_V12, invert
from geco.data.objects import BOUNDING_RADIUS, TexturedObject
from geco.data.render import Light, lens, render_views
from geco.data.view_sets import CONDITION_FOV, CONDITION_SIDES, FRAME_MARGIN, view_rng, view_set
from geco.errors import ConfigError
from tests.data.reference_cameras import (
    POINTS,
    REFERENCE,
    formula_difference,
    our_pixels,
    rendered_difference,
)
from tests.data.shapes import tangle, textured

NAMES = [
    *(
        "condition",
        "condition-3",
        "condition-instantmesh",
        "condition-instantmesh-4",
        "zero123plus-v1.2",
        "zero123plus-v1.1",
    ),
    *(
        "pairs-2",
        "pairs-instantmesh-1",
        "random-5",
        "orbit-15",
        "orbit-4",
        "grid-targets",
        "grid-extra",
        "grid-inputs",
    ),
]


def normalised(obj: TexturedObject) -> TexturedObject:
    """Box centred, farthest vertex at the radius that every loader gives."""
    used = obj.vertices[np.unique(obj.faces)]
    center = (used.min(0) + used.max(0)) / 2
    obj.vertices = (
        (obj.vertices - center) * BOUNDING_RADIUS / np.linalg.norm(used - center, axis=1).max()
    ).astype(np.float32)
    return obj


def stretched(seed: int) -> TexturedObject:
    """Random triangles in a box of random proportions, from needles to cubes."""
    obj = tangle(seed, 40)
    obj.vertices *= np.random.default_rng(seed).uniform(0.05, 1.0, 3).astype(np.float32)
    return normalised(obj)


def cube() -> TexturedObject:
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    return normalised(textured(corners, [f for a, b, c, d in quads for f in ((a, b, c), (a, c, d))]))


@pytest.mark.parametrize(("name", "fov"), [("zero123plus-v1.2", 30.0), ("zero123plus-v1.1", 49.13)])
def test_six_views_project_as_the_reference_cameras(name: str, fov: float) -> None:
    assert formula_difference(name, fov) <= 2e-6


def test_rendered_points_land_on_the_reference_pixels() -> None:
    """End to end: the centroid of a small white ball in the picture, against the reference's
    projection of its centre.
    """
    pytest.importorskip("numba")
    assert rendered_difference("zero123plus-v1.2", 30.0, POINTS[:2]) <= 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_cut_off_by_the_frame(name: str) -> None:
    objects = [stretched(seed) for seed in range(20)] + [cube()]
    for index, obj in enumerate(objects):
        cameras = view_set(name).cameras(obj, view_rng(0, str(index), name))
        used = obj.vertices[np.unique(obj.faces)]
        pixels = our_pixels(used, cameras)
        depths = -(
            np.einsum("vij,nj->vni", invert(cameras.c2w)[:, :3, :3], used)
            + invert(cameras.c2w)[:, None, :3, 3]
        )[..., 2]
        assert depths.min() > 0.3
        assert (
            pixels.min() > 0.5 - 0.5 * FRAME_MARGIN - 1e-4 and pixels.max() < 0.5 + 0.5 * FRAME_MARGIN + 1e-4
        )


def test_the_frame_stays_empty_at_its_rim() -> None:
    pytest.importorskip("numba")
    obj = cube()
    for name in NAMES:
        cameras = view_set(name).cameras(obj, view_rng(1, "cube", name))
        alpha = render_views(obj, cameras.c2w, cameras.lenses, 128, cameras.lights).rgba[..., 3]
        assert (alpha.reshape(len(alpha), -1) > 0).mean(1).min() > 0.03
        for rim in (alpha[:, 0], alpha[:, -1], alpha[:, :, 0], alpha[:, :, -1]):
            assert not rim.any()


@pytest.mark.shared
def test_real_objects_stay_inside_the_frame() -> None:
    """Twenty random objects, every set: no picture touches its rim (the margin of 1 % is more
    than a pixel at this size).
    """
    from geco.data.objects import load_object

    place = Path(os.environ.get("GECO_SHARED", "")) / "objects"
    if not os.environ.get("GECO_SHARED") or not place.is_dir():
        pytest.skip("GECO_SHARED names no folder with objects")
    for path in np.random.default_rng(7).choice(
        sorted(str(path) for path in place.glob("*/*.glb")), 20, replace=False
    ):
        obj = load_object(path)
        for name in NAMES:
            cameras = view_set(name).cameras(obj, view_rng(0, path, name))
            alpha = render_views(obj, cameras.c2w, cameras.lenses, 128, cameras.lights).rgba[..., 3]
            for rim in (alpha[:, 0], alpha[:, -1], alpha[:, :, 0], alpha[:, :, -1]):
                assert not rim.any()


def test_condition_stands_at_one_and_a_half_sides_or_just_far_enough() -> None:
    long = normalised(textured([[-1, 0, 0], [1, 0, 0], [0, 0.1, 0.1]], [[0, 1, 2]]))
    facts = view_set("condition-40").cameras(long, view_rng(0, "long", "condition-40")).facts
    side = np.ptp(long.vertices, axis=0).max()
    for fact in facts:
        assert fact["named_distance"] == pytest.approx(CONDITION_SIDES * side)
        assert fact["distance"] == pytest.approx(CONDITION_SIDES * side) and fact["fov"] == CONDITION_FOV
    obj = cube()
    cameras = view_set("condition-40").cameras(obj, view_rng(0, "cube", "condition-40"))
    stepped = np.array([fact["distance"] > fact["named_distance"] * 1.001 for fact in cameras.facts])
    assert stepped.any()
    reach = np.abs(our_pixels(obj.vertices, cameras) - 0.5).max(axis=(1, 2))
    np.testing.assert_allclose(reach[stepped], 0.5 * FRAME_MARGIN, atol=1e-5)  # no farther than needed


@pytest.mark.parametrize("name", NAMES)
def test_facts_are_plain_and_true(name: str) -> None:
    obj, chosen = cube(), view_set(name)
    cameras = chosen.cameras(obj, view_rng(5, "a", name))
    assert (
        chosen.count == len(cameras.c2w) == len(cameras.lenses) == len(cameras.lights) == len(cameras.facts)
    )
    assert json.loads(json.dumps(cameras.facts)) == cameras.facts
    for pose, lens_of, light, fact in zip(cameras.c2w, cameras.lenses, cameras.lights, cameras.facts):
        x, y, z = pose[:3, 3].astype(float)
        assert np.linalg.norm([x, y, z]) == pytest.approx(fact["distance"], rel=1e-5)
        assert np.degrees(np.arctan2(z, np.hypot(x, y))) == pytest.approx(fact["elevation"], abs=1e-3)
        turned = (np.degrees(np.arctan2(y, x)) - fact["azimuth"] + 180) % 360 - 180
        assert abs(turned) * np.cos(np.radians(fact["elevation"])) < 1e-3
        assert lens_of[0] == pytest.approx(0.5 / np.tan(np.radians(fact["fov"]) / 2), rel=1e-5)
        assert Light(**{**fact["light"], "direction": tuple(fact["light"]["direction"])}) == light
    again = pickle.loads(pickle.dumps(chosen)).cameras(obj, view_rng(5, "a", name))
    np.testing.assert_array_equal(again.c2w, cameras.c2w)
    np.testing.assert_array_equal(again.lenses, cameras.lenses)
    other = chosen.cameras(stretched(1), view_rng(5, "b", name))
    assert chosen.fixed == (np.array_equal(other.c2w, cameras.c2w) and other.facts == cameras.facts)


def test_pairs_are_conditions_followed_by_their_six_views() -> None:
    facts = view_set("pairs-3").cameras(cube(), view_rng(0, "a", "pairs-3")).facts
    for index in range(3):
        condition, *targets = facts[7 * index : 7 * index + 7]
        assert condition["role"] == "condition" and {target["role"] for target in targets} == {"target"}
        assert {fact["pair"] for fact in (condition, *targets)} == {index}
        relative = [(target["azimuth"] - condition["azimuth"]) % 360 for target in targets]
        np.testing.assert_allclose(relative, ZERO123PLUS_V12.azimuths, atol=1e-9)
        assert tuple(target["elevation"] for target in targets) == ZERO123PLUS_V12.elevations
    assert facts[0]["azimuth"] != facts[7]["azimuth"]


def test_ranges_of_the_random_sets() -> None:
    facts = view_set("condition-instantmesh-500").cameras(cube(), view_rng(0, "a", "x")).facts
    for key, low, high in (("azimuth", 0, 360), ("elevation", -20, 45), ("distance", 2.5, 5.0)):
        values = np.array([fact[key] for fact in facts])
        assert (
            low <= values.min() < low + 0.02 * (high - low)
            and high - 0.02 * (high - low) < values.max() <= high
        )
    poses = view_set("random-1000").cameras(cube(), view_rng(0, "a", "y")).c2w
    np.testing.assert_allclose(np.linalg.norm(poses[:, :3, 3], axis=1), 4.0, rtol=1e-5)
    # uniform on the sphere, three sigmas
    assert np.abs(poses[:, :3, 3].mean(0)).max() < 4 * 3 / np.sqrt(3 * 1000)
    heights = np.histogram(poses[:, 2, 3], bins=10, range=(-4, 4))[0]
    assert heights.min() > 60  # 100 expected in each slice: Archimedes
    orbit = view_set("orbit-15").cameras(cube(), view_rng(0, "a", "z")).facts
    assert [fact["azimuth"] for fact in orbit] == [24.0 * k for k in range(15)]
    assert {fact["elevation"] for fact in orbit} == {0.0}


def test_small_recipe_cameras_are_those_that_it_was_trained_with() -> None:
    """Numbers of the first training shards' code: seed 3, object name 'chair.glb'."""
    cameras = view_set("grid-inputs").cameras(cube(), view_rng(3, "chair.glb", "grid-inputs"))
    assert [fact["azimuth"] for fact in cameras.facts] == [30.0 * (k // 2) for k in range(24)]
    stored = REFERENCE["grid_inputs_seed3_chair"]
    for key in ("elevation", "distance"):
        np.testing.assert_allclose([fact[key] for fact in cameras.facts], stored[key], rtol=1e-12)
    lights = [[light.ambient, light.hemisphere, light.diffuse, *light.direction] for light in cameras.lights]
    np.testing.assert_allclose(lights, stored["light"], rtol=1e-12)
    targets = view_set("grid-targets").cameras(cube(), np.random.default_rng(0))
    assert [(f["elevation"], f["azimuth"]) for f in targets.facts] == [
        (e, 30.0 * k) for e in (20.0, -10.0) for k in range(12)
    ]
    np.testing.assert_array_equal(targets.lenses, lens(30.0, 24))


def test_sets_do_not_share_random_numbers() -> None:
    draws = {name: tuple(view_rng(0, "a", name).random(4)) for name in NAMES if not name.startswith("grid")}
    assert len(set(draws.values())) == len(draws)
    assert (
        draws["condition"]
        != tuple(view_rng(0, "b", "condition").random(4))
        != tuple(view_rng(1, "a", "condition").random(4))
    )


@pytest.mark.parametrize(
    "name",
    ["", "orbit", "random", "condition-0", "pairs", "pairs-1001", "zero123plus", "grid", "condition-x"],
)
def test_unknown_names_are_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(ConfigError, match=r"zero123plus-v1\.2.*grid-inputs"):
        view_set(name)
