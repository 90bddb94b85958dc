"""An object is who it is by its path below the folder that was given: cameras, order and hold-out
follow nothing else.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from geco.cameras import ZERO123PLUS_V12
from geco.data.objects import ObjectSource, find_in_folders, find_objects
from geco.data.render_job import RenderSettings, hold_out, in_order, render_piece
from geco.data.shards import Shards
from geco.data.view_sets import view_rng
from tests.cases import BUGS
from tests.cli_command import geco
from tests.data.glb import GlbWriter, box

PLACES = (
    "{}/model.glb",
    "{}/models/model_normalized.glb",
    "{}/meshes/model.glb",
    "{}.glb",
    "class/{}/model.glb",
)


def put(path: Path) -> None:
    writer = GlbWriter()
    writer.mesh(*box((1, 0.6, 0.4)), material=writer.material(factor=[1.0, 0, 0, 1]))
    path.parent.mkdir(parents=True, exist_ok=True)
    writer.save(path)


def draws(source: ObjectSource) -> tuple[float, ...]:
    return tuple(view_rng(0, source.identity, "random-4").random(4))


def test_two_objects_of_one_file_name_are_seen_from_views_of_their_own(tmp_path: Path) -> None:
    render = ("data", "render", BUGS / "objects" / "same_name", "-o", tmp_path / "s")
    found = geco(
        *render, "--views", "random-4,condition-2,zero123plus-v1.2", "--size", "16", "--workers", "1"
    )
    assert found.returncode == 0, found.stderr
    shards = Shards(tmp_path / "s")
    assert set(shards.objects) == {"a_model", "b_model"}
    for name in ("random-4", "condition-2"):
        first, second = (shards.cameras(key, name)[0] for key in shards.objects)
        assert not np.allclose(first[..., :3, :3], second[..., :3, :3])
        lights = [
            [view["facts"]["light"] for view in shards.info(key)["sets"][name]] for key in shards.objects
        ]
        assert name == "random-4" or lights[0] != lights[1]
    fixed = [shards.cameras(key, "zero123plus-v1.2")[0] for key in shards.objects]
    assert np.array_equal(*fixed) and len(fixed[0]) == len(ZERO123PLUS_V12.azimuths)


@settings(max_examples=40, deadline=None)
@given(
    place=st.sampled_from(PLACES),
    names=st.lists(
        st.text("abAB. _-é", min_size=1, max_size=5).filter(lambda n: n[0] not in ". "),
        min_size=2,
        unique=True,
    ),
    more=st.integers(0, 3),
)
def test_every_object_of_a_collection_has_its_own_stream_whatever_else_is_there(
    tmp_path_factory: object, place: str, names: list[str], more: int
) -> None:
    root = tmp_path_factory.mktemp("c")  # type: ignore[attr-defined]
    paths = {root / place.format(name) for name in names}
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    before = find_objects(root)
    assert len(before) == len(paths) == len({draws(source) for source in before})
    assert len({source.key.lower() for source in before}) == len(paths)
    assert len({source.path for source in hold_out(before, 1)}) == 1
    for number in range(more):
        (root / f"new-{number}").mkdir()
        (root / f"new-{number}" / "model.glb").write_bytes(b"")
    after = {source.path: draws(source) for source in find_objects(root)}
    assert {source.path: draws(source) for source in before}.items() <= after.items()
    kept = [source.path for source in in_order(find_objects(root), 3) if source.path in paths]
    assert kept == [source.path for source in in_order(before, 3)]


def test_objects_at_the_same_place_of_two_folders_are_two(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        put(tmp_path / folder / "x" / "model.glb")
    alone = find_in_folders([tmp_path / "one"])[0][0]
    (first,), (second,) = find_in_folders([tmp_path / "one", tmp_path / "two"])
    assert draws(alone) == draws(first) != draws(second)
    assert (first.key, second.key) == ("x_model", "x_model-2")
    settings_ = RenderSettings(("random-2",), 16, ("rgba",))
    assert render_piece(alone, settings_) == render_piece(first, settings_) != render_piece(second, settings_)
    assert hold_out([second, first], 1) == hold_out([first, second], 1)


def test_a_flat_folder_keeps_the_cameras_that_it_always_had(tmp_path: Path) -> None:
    put(tmp_path / "chair.glb")
    (source,) = find_objects(tmp_path)
    assert (source.key, source.identity) == ("chair", "chair.glb")
