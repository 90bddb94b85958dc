"""What rendering one object is: the renderer's own pictures, whatever the pool; and which objects
come, in which order.
"""

from __future__ import annotations

import io
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from geco.data.objects import ObjectError, find_in_folders, find_objects
from geco.data.render import render_views
from geco.data.render_job import (
    RenderSettings,
    hold_out,
    in_order,
    open_shards,
    render_piece,
    render_shards,
    render_task,
)
from geco.data.shards import Shards
from geco.data.shards.format import TAR_END
from geco.data.view_sets import view_rng, view_set
from geco.errors import ConfigError
from geco.processes import Outcome
from tests.data.glb import GlbWriter, box

SETTINGS = RenderSettings(
    ("condition-2", "zero123plus-v1.1"), 24, ("rgba", "depth", "normal", "position"), seed=3
)


def put(folder: Path, name: str, textured: bool = True) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    writer, rng = GlbWriter(), np.random.default_rng(len(name))
    vertices, faces = box((1.0, 0.6, 0.4))
    texture = writer.texture(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)) if textured else None
    writer.mesh(
        vertices, faces, uvs=rng.random((8, 2)), material=writer.material(texture) if textured else None
    )
    return writer.save(folder / f"{name}.glb")


class Here:
    """A pool of this process."""

    def run(self, jobs):  # type: ignore[no-untyped-def]
        for key, task in jobs:
            render_task(task)
            yield Outcome(key)


def test_shards_hold_exactly_what_the_renderer_draws(tmp_path: Path) -> None:
    put(tmp_path / "objects", "cup")
    sources = find_objects(tmp_path / "objects")
    render_shards(open_shards(tmp_path / "shards", sources, SETTINGS), sources, SETTINGS, Here())
    shards, obj = Shards(tmp_path / "shards"), sources[0].load()
    for name in SETTINGS.sets:
        cameras = view_set(name).cameras(obj, view_rng(3, "cup.glb", name))
        views = render_views(obj, cameras.c2w, cameras.lenses, 24, cameras.lights, SETTINGS.channels)
        assert np.array_equal(shards.pictures("cup", name), views.rgba)
        np.testing.assert_allclose(shards.pictures("cup", name, "depth")[..., 0], views.depth, atol=1 / 8192)
        np.testing.assert_allclose(
            shards.pictures("cup", name, "normal"), views.normal, atol=0.5 / 127 + 1e-6
        )
        np.testing.assert_allclose(shards.pictures("cup", name, "position"), views.position, atol=2e-5)
        c2w, lenses = shards.cameras("cup", name)
        assert np.array_equal(c2w, cameras.c2w)
        assert np.array_equal(lenses, cameras.lenses)
    # The stored transform takes the file's corners to the world that the positions lie in.
    transform = np.array(shards.info("cup")["transform"])
    corners = np.c_[box((1.0, 0.6, 0.4))[0], np.ones(8)] @ transform.T
    positions = shards.pictures("cup", "condition-2", "position").reshape(-1, 3)
    seen = positions[positions.any(axis=1)]
    assert (seen >= corners[:, :3].min(axis=0) - 1e-3).all()
    assert (seen <= corners[:, :3].max(axis=0) + 1e-3).all()


def test_the_bytes_depend_on_file_and_settings_only(tmp_path: Path) -> None:
    put(tmp_path / "a", "cup")
    put(tmp_path / "b", "cup")
    first, second = (render_piece(find_objects(tmp_path / folder)[0], SETTINGS) for folder in "ab")
    assert first == second
    other = render_piece(
        find_objects(tmp_path / "a")[0], RenderSettings(SETTINGS.sets, 24, SETTINGS.channels, seed=4)
    )
    assert first != other
    with tarfile.open(fileobj=io.BytesIO(first + TAR_END)) as archive:
        assert {(info.mtime, info.uid, info.gname) for info in archive} == {(0, 0, "")}


def test_occlusion_darkens_and_belongs_to_our_own_renderer(tmp_path: Path) -> None:
    writer = GlbWriter()
    for extent, place in (
        ((1.0, 0.1, 1.0), 0.0),
        ((0.1, 1.0, 1.0), 0.5),
    ):  # a floor and a wall: a box alone hides nothing from itself
        vertices, faces = box(extent)
        writer.mesh(vertices + np.float32([place, place, 0]), faces, colors=np.full((8, 4), 200, np.uint8))
    writer.save(tmp_path / "corner.glb")
    (source,) = find_objects(tmp_path)
    plain, shaded = (replace(SETTINGS, channels=("rgba",), occlusion=strength) for strength in (0.0, 1.0))
    first, second = render_piece(source, plain), render_piece(source, shaded)
    assert first != second and plain.described() != shaded.described()
    with pytest.raises(ConfigError, match="occlusion"):
        replace(SETTINGS, renderer="studio", occlusion=0.5)
    with pytest.raises(ConfigError, match="occlusion"):
        replace(SETTINGS, occlusion=1.5)


def test_untextured_objects_are_refused_unless_allowed(tmp_path: Path) -> None:
    put(tmp_path, "plain", textured=False)
    source = find_objects(tmp_path)[0]
    with pytest.raises(ObjectError) as refused:
        render_piece(source, SETTINGS)
    assert refused.value.reason == "untextured"
    assert render_piece(source, RenderSettings(SETTINGS.sets, 24, allow_untextured=True))


def test_an_object_more_does_not_move_the_others(tmp_path: Path) -> None:
    for number in range(12):
        put(tmp_path, f"object-{number}")
    every = find_objects(tmp_path)
    keys = [source.key for source in in_order(every, 0)]
    assert sorted(keys) == [source.key for source in every] != keys
    assert [source.key for source in in_order(every[1:], 0)] == [key for key in keys if key != every[0].key]
    assert [source.key for source in in_order(every, 1)] != keys
    assert {s.key for s in hold_out(every, 3)} < {s.key for s in hold_out(every, 4)}


def test_equal_names_in_two_folders_get_keys_of_their_own(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        put(tmp_path / folder, "cup")
    put(tmp_path / "b", "Cup-2")
    found = find_in_folders([tmp_path / "a", tmp_path / "b"])
    keys = [source.key for sources in found for source in sources]
    assert len({key.lower() for key in keys}) == 3
    assert keys[0] == "cup"
