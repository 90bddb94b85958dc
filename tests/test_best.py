"""The best of several seeds: which one it is, that it is the mesh of that seed alone, and what it costs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from geco.backend import Backend
from geco.batches import candidates
from geco.best import choose
from geco.errors import ConfigError, MeshError
from geco.photo.rough import agreement_of, rough_of
from geco.pipeline import GecoPipeline
from geco.seen import Seen, Views
from geco.surface_to_asset import AssetOptions
from geco.timing import Stopwatch
from tests.cli_command import geco
from tests.photo.test_rough import SIZE, Box, box_picture
from tests.pictures import ball_picture

SMALL = {"texture_size": 64, "resolution": 24}


class Boxes:
    """A backend of boxes: the views of a seed are how wide its box is; below 0 there is none."""

    card = SimpleNamespace(name="boxes")
    sampling: Any = "some"

    def reconstruct(self, views: Any, picture: Any) -> Box:
        return Box(float(views))


def chosen(*wide: float, count: int | None = None, sampling: Any = "some") -> Any:
    backend = Boxes()
    backend.sampling = sampling
    numbers: Any = np.asarray(wide, np.float32)
    drawn = [Views(seed, each, seconds=0.5) for seed, each in enumerate(numbers)]
    seen = Seen(None, box_picture(0.6), np.zeros(0))  # type: ignore[arg-type]
    made: Backend = backend  # type: ignore[assignment]
    return choose(made, drawn, seen, len(wide) if count is None else count, SIZE, Stopwatch())


def test_the_object_whose_outline_agrees_best_is_chosen_and_all_are_told() -> None:
    found = chosen(0.3, 0.6, 0.45, 0.6)
    assert found.views.seed == 1, "the first of equals"
    told = found.facts["best_of"]
    assert [each["seed"] for each in told] == [0, 1, 2, 3]
    assert told[0]["agreement"] < told[2]["agreement"] < told[1]["agreement"] == told[3]["agreement"]
    assert found.facts["agreement"] == told[1]["agreement"] == round(found.rough.agreement, 4)
    assert found.seconds == 0.5, "of one batch, which all have in common"


def test_seeds_without_an_object_are_passed_over_unless_all_are() -> None:
    found = chosen(-1, 0.4)
    assert found.views.seed == 1 and found.facts["best_of"][0] == {"seed": 0, "agreement": None}
    with pytest.raises(MeshError, match="no object"):
        chosen(-1, -1)


def test_one_alone_is_not_looked_at() -> None:
    found = chosen(-1)
    assert found.rough is None and found.facts == {}


def test_as_many_views_as_are_compared_must_be_given_and_must_be_able_to_differ() -> None:
    for given, count in ((2, 1), (1, 4)):
        with pytest.raises(ConfigError, match=f"best of {count} seeds is asked for, and views of {given}"):
            chosen(*[0.5] * given, count=count)
    with pytest.raises(ConfigError, match="same object"):
        chosen(0.5, 0.6, sampling=None)


def test_fields_that_are_not_dense_are_compared_by_the_cubes_at_their_surface() -> None:
    picture = box_picture(0.6)
    for wide in (0.6, 0.35):
        dense, cubes = rough_of(Box(wide), SIZE, picture).agreement, agreement_of(Box(wide), SIZE, picture)
        assert abs(dense - cubes) < 0.02


def test_samples_have_seeds_of_their_own() -> None:
    assert candidates([0, 4], 3) == [0, 1, 2, 4, 5, 6]
    assert candidates([7, 7], 1) == [7, 7]
    for seeds in ([0, 2], [2**32 - 2]):
        with pytest.raises(ConfigError, match="share seeds, or leave"):
            candidates(seeds, 3)


@pytest.fixture(scope="module")
def pipeline() -> GecoPipeline:
    return GecoPipeline.from_pretrained("small")


def test_the_best_of_three_is_the_mesh_of_its_seed(pipeline: GecoPipeline) -> None:
    picture = ball_picture(64)
    (best,) = pipeline.samples(picture, [3], AssetOptions(best_of=3, **SMALL))
    alone = pipeline(picture, best.seed, AssetOptions(**SMALL))
    for name in ("vertices", "faces", "uvs", "texture"):
        np.testing.assert_array_equal(getattr(best.mesh, name), getattr(alone.mesh, name))
    told = {each["seed"]: each["agreement"] for each in best.facts["best_of"]}
    assert list(told) == [3, 4, 5] and told[best.seed] == max(told.values()) == alone.facts["agreement"]
    assert best.facts == alone.facts | {"best_of": best.facts["best_of"]}
    assert best.timings["agreement"] > 0 and "agreement" not in alone.timings
    with pytest.raises(ConfigError, match="best of 3"):
        seen = pipeline.see(picture)
        pipeline.finish(next(pipeline.views(seen, [0])), seen, AssetOptions(best_of=3))


def test_geco_run_names_a_sample_after_the_first_of_its_seeds(tmp_path: Path) -> None:
    ball_picture(64).save(tmp_path / "ball.png")
    words = "run ball.png --best-of 2 --samples 2 --seed 5 --json --views --save-steps steps -o out/"
    done = geco(*words.split(), "--texture-size", "64", "--resolution", "24", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "ball-seed5-views.png", "ball-seed5.glb", "ball-seed7-views.png", "ball-seed7.glb",
    ]  # fmt: skip
    assert len(list((tmp_path / "steps").glob("views-*.png"))) == 4
    assert '"best_of": [{"seed": 5, "agreement": ' in done.stdout and '{"seed": 8, ' in done.stdout
