"""The pipeline's three verbs: alone they make what a call makes, and each says how long it took."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from geco.errors import ConfigError, MeshError
from geco.pipeline import GecoPipeline
from geco.seen import Views
from geco.surface_to_asset import AssetOptions
from geco.timing import Stopwatch
from tests.pictures import ball_picture

OPTIONS = AssetOptions(texture_size=64, resolution=24)


@pytest.fixture(scope="module")
def pipeline() -> GecoPipeline:
    return GecoPipeline.from_pretrained("small")


def test_the_verbs_make_what_a_call_makes(pipeline: GecoPipeline, tmp_path: Path) -> None:
    seen = pipeline.see(ball_picture(64))
    (views,) = pipeline.views(seen, [5], pipeline.sampling(truncation=0.5))
    asset = pipeline.finish(views, seen, OPTIONS)
    whole = pipeline(ball_picture(64), 5, OPTIONS, truncation=0.5)
    np.testing.assert_array_equal(asset.views, whole.views)
    np.testing.assert_array_equal(asset.mesh.vertices, whole.mesh.vertices)
    assert asset.facts == whole.facts and asset.facts["sampling"]["truncation"] == 0.5
    assert list(asset.timings) == list(whole.timings)
    assert {"picture", "views", "reconstruct", "bake", "total"} <= asset.timings.keys()
    assert asset.timings["views"] == views.seconds > 0 and asset.timings["picture"] == seen.seconds > 0
    views.save(tmp_path / "views.png")
    assert [path.name for path in seen.save_steps(tmp_path)] == ["cutout.png", "alpha.png", "prepared.png"]
    assert len(list(tmp_path.iterdir())) == 4


def test_views_may_come_from_elsewhere_and_an_error_leaves_the_seconds(pipeline: GecoPipeline) -> None:
    seen, watch = pipeline.see(ball_picture(64)), Stopwatch()
    size = pipeline.card.picture_size
    white = np.ones((size, size, 3), np.float32)
    nothing = replace(seen, condition=replace(seen.condition, rgb=white), read=white)
    with pytest.raises(MeshError):
        bare = replace(OPTIONS, outline=False)
        pipeline.finish(Views(0, np.ones((6, size, size, 3), np.float32)), nothing, bare, watch)
    assert watch.seconds["reconstruct"] > 0


def test_seeds_run_in_batches_and_the_picture_is_seen_once(pipeline: GecoPipeline) -> None:
    seen = pipeline.see(ball_picture(64))
    many = list(pipeline.views(seen, range(10)))
    assert [views.seed for views in many] == list(range(10))
    assert not np.array_equal(many[0].pictures, many[9].pictures)
    assets = list(pipeline.samples(ball_picture(64), [9, 0], OPTIONS))
    np.testing.assert_allclose(assets[0].views, many[9].pictures, atol=1e-5)
    with pytest.raises(ConfigError, match="truncation"):
        pipeline.sampling(truncation=2.0)


def test_the_number_of_threads_changes_nothing_and_is_checked(pipeline: GecoPipeline) -> None:
    alone = GecoPipeline.from_pretrained("small", threads=1)
    picture = ball_picture(64)
    mesh, theirs = alone(picture, 0, OPTIONS).mesh, pipeline(picture, 0, OPTIONS).mesh
    np.testing.assert_array_equal(mesh.vertices, theirs.vertices)
    with pytest.raises(ConfigError, match="0 threads are out of range"):
        GecoPipeline.from_pretrained("small", threads=0)
