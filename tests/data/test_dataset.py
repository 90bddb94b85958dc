"""Datasets on dots whose place in every picture is known: cameras, order, ranks, resuming,
memory, missing sets.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geco.cli.main import parser
from geco.data.dataset import (
    Augmentation,
    ConditionPictures,
    GridViews,
    Loader,
    MissingViewsError,
    PairedViews,
    RandomViews,
)
from geco.data.dataset.batches import join
from geco.data.dataset.grid import GRID_SETS
from geco.data.dataset.order import Order
from geco.data.render_job import RenderSettings
from geco.errors import ConfigError, GecoError
from tests.data.dots import centre, color_of, dot_of, project, write_dots

WILD = Augmentation(crop=(0.6, 1.5), shift=0.2, brightness=(0.7, 1.2), background=0.5, same_background=True)
NEAR = 0.1 / 32  # a tenth of a pixel


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five dots with all kinds of sets."""
    sets = ["condition-2", "pairs-2", "random-6", "zero123plus-v1.2", *GRID_SETS]
    return write_dots(tmp_path_factory.mktemp("shards") / "all", sets)


Make = Callable[[Path], Any]
KINDS: dict[str, Make] = {
    "conditions": lambda folder: ConditionPictures(folder, WILD),
    "pairs": lambda folder: PairedViews(folder, WILD),
    "random": lambda folder: RandomViews(folder, 3, WILD),
    "grid": lambda folder: GridViews(folder),
}
every_kind = pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)


def equal(first: Any, second: Any) -> bool:
    return all(
        np.array_equal(getattr(first, field.name), getattr(second, field.name)) for field in fields(first)
    )


def check(rgba: np.ndarray, c2w: np.ndarray, lens: np.ndarray, point: np.ndarray) -> None:
    np.testing.assert_allclose(centre(rgba), project(point, c2w[None], lens[None])[0][0], atol=NEAR)


def test_condition_pictures_show_their_object_where_their_camera_says(everything: Path) -> None:
    data = ConditionPictures(everything, WILD)
    assert len(data) == 5 * (2 + 2)  # the condition views of pairs too
    batch = data.batch(0, 0, len(data))
    assert len({*zip(batch.objects.tolist(), batch.pictures.tolist())}) == len(data)  # an epoch has each once
    for rgba, c2w, lens, number in zip(batch.condition, batch.c2w, batch.lenses, batch.objects):
        check(rgba, c2w, lens, dot_of(int(number)))
    assert np.abs(batch.lenses[:, 1:] - 0.5).max() > 0.05  # the augmentation did move them


def test_pairs_show_their_object_where_their_cameras_say(everything: Path) -> None:
    batch = PairedViews(everything, WILD).batch(3, 1, 10)
    assert batch.condition.shape == (10, 32, 32, 4) and batch.targets.shape == (10, 6, 32, 32, 4)
    for row, number in enumerate(batch.objects):
        for rgba, c2w, lens in zip(
            [batch.condition[row], *batch.targets[row]], batch.c2w[row], batch.lenses[row]
        ):
            check(rgba, c2w, lens, dot_of(int(number)))
        assert (np.abs(batch.targets[row, 0, ..., :3].max((0, 1)) - color_of(int(number))) == 0).all()


@pytest.mark.parametrize("inputs", ["pairs-2", "zero123plus-v1.2"])
def test_random_views_stand_in_the_inputs_world(tmp_path: Path, inputs: str) -> None:
    batch = RandomViews(write_dots(tmp_path / "shards", [inputs, "random-6"]), 3).batch(1, 2, 5)
    assert sorted(batch.objects) == list(range(5))
    # whatever pair was chosen, the six inputs stand on the rig of an input at azimuth 0
    np.testing.assert_allclose(
        np.degrees(np.arctan2(batch.input_c2w[:, 0, 1, 3], batch.input_c2w[:, 0, 0, 3])), 30, atol=1e-3
    )
    assert batch.condition.shape == ((5, 32, 32, 4) if inputs == "pairs-2" else (5, 0, 0, 4))
    for row, number in enumerate(batch.objects):
        # the dot, turned with the inputs: found from the first two inputs, then asked of all other pictures
        point = triangulate(batch.inputs[row], batch.input_c2w[row], batch.input_lenses[row])
        assert np.linalg.norm(point) == pytest.approx(np.linalg.norm(dot_of(int(number))), abs=0.02)
        for rgba, depth, c2w, lens in zip(
            batch.targets[row], batch.depth[row], batch.c2w[row], batch.lenses[row]
        ):
            place, away = project(point, c2w[None], lens[None])
            np.testing.assert_allclose(centre(rgba), place[0], atol=0.5 / 32)
            assert depth.max() == pytest.approx(away[0], abs=0.02)
        assert len({tuple(np.round(c2w[:3, 3], 4)) for c2w in batch.c2w[row]}) == 3  # three different views


def triangulate(pictures: np.ndarray, c2w: np.ndarray, lenses: np.ndarray) -> np.ndarray:
    """The point nearest to the rays through the visible centres."""
    matrix, right = np.zeros((3, 3)), np.zeros(3)
    for rgba, pose, (focal, cx, cy) in zip(pictures, c2w, lenses):
        u, v = centre(rgba)
        ray = pose[:3, :3] @ np.array([(u - cx) / focal, (cy - v) / focal, -1.0])
        across = np.eye(3) - np.outer(ray, ray) / (ray @ ray)
        matrix, right = matrix + across, right + across @ pose[:3, 3]
    return np.linalg.solve(matrix, right)


@pytest.mark.parametrize("mirror", [False, True])
def test_grid_samples_show_the_object_or_its_mirror_image(everything: Path, mirror: bool) -> None:
    data = GridViews(everything)
    for azimuth, variant in ((0, 0), (5, 1), (11, 0)):
        condition, targets = data.sample(1, azimuth, variant, mirror)
        c2w, lenses = data.cameras(1, azimuth, variant, mirror)
        point = dot_of(1) * [1, -1 if mirror else 1, 1]
        for rgba, pose, lens in zip([condition, *targets], c2w, lenses):
            check(rgba, pose, lens, point)
            assert np.linalg.det(pose[:3, :3]) == pytest.approx(1, abs=1e-5)
        seen = np.degrees(np.arctan2(c2w[:, 1, 3], c2w[:, 0, 3])) - 30 * azimuth
        np.testing.assert_allclose((seen - [0, 30, 90, 150, 210, 270, 330] + 180) % 360 - 180, 0, atol=1e-3)


@every_kind
def test_batches_depend_on_seed_and_step_only(everything: Path, make: Make) -> None:
    first, again = make(everything), make(everything)
    again.batch(0, 9, 4)  # another history
    assert equal(first.batch(0, 5, 4), again.batch(0, 5, 4))
    assert not equal(first.batch(0, 5, 4), first.batch(1, 5, 4))
    assert not equal(first.batch(0, 5, 4), first.batch(0, 6, 4))


@every_kind
@pytest.mark.parametrize("world", [1, 2, 3, 4])
def test_ranks_together_see_the_global_batch(everything: Path, make: Make, world: int) -> None:
    data = make(everything)
    for step in (0, 1):  # the second reaches over the end of the epoch
        parts = [make(everything).batch(2, step, 12, rank, world) for rank in range(world)]
        assert all(len(part.objects) == 12 // world for part in parts)
        assert equal(join(parts), data.batch(2, step, 12))


@every_kind
@pytest.mark.parametrize("threads", [0, 3])
def test_a_run_goes_on_at_the_exact_sample(everything: Path, make: Make, threads: int) -> None:
    whole = Loader(make(everything), 3, seed=4)
    expected = [next(whole) for _ in range(9)]
    with Loader(make(everything), 3, seed=4, threads=threads) as first:
        for step in range(4):
            assert equal(next(first), expected[step])
        state = first.state_dict()  # threads have made more batches than were handed out
    with Loader(make(everything), 3, seed=4, threads=threads) as second:
        second.load_state_dict(state)
        for step in range(4, 9):
            assert equal(next(second), expected[step])


def test_another_position_would_mean_other_samples(everything: Path) -> None:
    state = Loader(GridViews(everything), 3, seed=4).state_dict()
    for loader in (Loader(GridViews(everything), 4, seed=4), Loader(GridViews(everything), 3, seed=5)):
        with pytest.raises(ConfigError, match="the run to go on with had"):
            loader.load_state_dict(state)
    # more processes are no matter
    Loader(GridViews(everything), 3, seed=4, rank=2, world=3).load_state_dict(state)


def test_errors_of_threads_come_out_at_their_step(everything: Path) -> None:
    class Torn(GridViews):
        def batch(self, seed: int, step: int, size: int, rank: int = 0, world: int = 1) -> Any:
            if step == 2:
                raise OSError("disk gone")
            return super().batch(seed, step, size, rank, world)

    before = threading.active_count()
    with Loader(Torn(everything), 2, threads=2) as loader:
        next(loader), next(loader)
        with pytest.raises(OSError, match="disk gone"):
            next(loader)
    assert threading.active_count() == before


@given(st.integers(1, 40), st.integers(1, 6), st.sampled_from([1, 2, 3, 4]), st.integers(0, 2**31))
def test_every_epoch_has_every_item_once(count: int, part: int, world: int, seed: int) -> None:
    size, order = part * world, Order(count)
    steps = -(-2 * count // size)
    seen = np.concatenate(
        [Order(count).items(seed, step, size, rank, world) for step in range(steps) for rank in range(world)]
    )
    assert sorted(seen[:count]) == sorted(seen[count : 2 * count]) == list(range(count))
    np.testing.assert_array_equal(seen[:size], order.items(seed, 0, size))


@pytest.mark.parametrize(("size", "rank", "world"), [(5, 0, 2), (4, 2, 2), (4, -1, 2)])
def test_uneven_shares_and_unknown_ranks_are_refused(
    everything: Path, size: int, rank: int, world: int
) -> None:
    with pytest.raises(ConfigError):
        Loader(GridViews(everything), size, rank=rank, world=world)


def test_memory_changes_nothing_and_keeps_its_limit(everything: Path) -> None:
    plain = GridViews(everything)
    one = 32 * 32 * 4
    for limit in (10 * one, 10**9):
        kept = GridViews(everything, memory=limit)
        for step in (0, 1, 0):
            assert equal(kept.batch(0, step, 5), plain.batch(0, step, 5))
        assert kept.pictures.used <= limit
        assert kept.pictures.used == (10 * one if limit == 10 * one else one * len(kept.pictures))
    again = kept.pictures.get("dot1", "grid-targets", [3])
    again[:] = 0  # what is handed out is a copy
    assert kept.pictures.get("dot1", "grid-targets", [3]).any()


@pytest.mark.parametrize(
    ("sets", "make", "missing", "command"),
    [
        (["random-2"], lambda folder: ConditionPictures(folder), "condition", "--views random-2,condition"),
        (["condition-2"], lambda folder: PairedViews(folder), "pairs-6", "--views condition-2,pairs-6"),
        (["pairs-2"], lambda folder: RandomViews(folder, 1), "random-16", "--views pairs-2,random-16"),
        (
            ["random-2"],
            lambda folder: RandomViews(folder, 1),
            "zero123plus-v1.2",
            "--views random-2,zero123plus-v1.2",
        ),
        (
            ["grid-targets"],
            lambda folder: GridViews(folder),
            "grid-extra",
            "--views grid-targets,grid-extra,grid-inputs",
        ),
    ],
)
def test_missing_sets_are_named_with_the_command_that_renders_them(
    tmp_path: Path, sets: list[str], make: Make, missing: str, command: str
) -> None:
    folder = write_dots(tmp_path / "shards", sets, objects=1)
    with pytest.raises(MissingViewsError) as caught:
        make(folder)
    assert (
        missing in caught.value.missing
        and repr(missing) in caught.value.problem
        and sets[0] in caught.value.problem
    )
    assert (
        "geco data render" in caught.value.remedy
        and command in caught.value.remedy
        and "--size 32" in caught.value.remedy
    )
    assert isinstance(caught.value, GecoError)


def test_missing_depth_is_named(tmp_path: Path) -> None:
    folder = write_dots(tmp_path / "shards", ["pairs-1", "random-2"], objects=1, depth=False)
    with pytest.raises(MissingViewsError, match="channel 'depth'"):
        RandomViews(folder, 1)


def test_more_views_than_there_are(everything: Path) -> None:
    with pytest.raises(ConfigError, match="7 views of the 6"):
        RandomViews(everything, 7)


def test_the_command_of_the_error_is_one_that_works(tmp_path: Path) -> None:
    folder = write_dots(tmp_path / "shards", ["condition-2"], objects=1)
    with pytest.raises(MissingViewsError) as caught:
        RandomViews(folder, 1)
    words = caught.value.remedy.partition("geco ")[2].split()
    options = parser().parse_args(words)
    settings = RenderSettings(
        tuple(options.views.split(",")), options.size, tuple(options.channels.split(","))
    )
    assert settings.sets == ("condition-2", "random-16") and settings.size == 32


def test_a_folder_without_shards(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no finished shards.*geco data render"):
        GridViews(tmp_path)
