"""Names of outputs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geco.cli.pictures import find_pictures
from geco.errors import OutputError
from geco.outputs import Wanted, plan
from geco.outputs.names import stems
from tests.outputs.build import meshes, pictures


def test_names_are_short_where_they_can_be_and_the_same_in_any_order(tmp_path: Path) -> None:
    found = pictures(tmp_path, "cat.png", "cat.jpg", "dog.png", "Toy.png", "toy.png")
    names = meshes(found, output=str(tmp_path / "out"))
    assert names[:3] == ["cat-png.glb", "cat-jpg.glb", "dog.glb"]
    assert len({name.casefold() for name in names}) == 5 and all("-png-" in name for name in names[3:])
    assert meshes(found[::-1], output=str(tmp_path / "out")) == names[::-1]
    # whatever else there is
    assert meshes(found[1:2] + found[:1], output=str(tmp_path / "out")) == names[1::-1]


def test_a_picture_given_twice_is_done_once(tmp_path: Path) -> None:
    (picture,) = pictures(tmp_path, "cat.png")
    (tmp_path / "again").symlink_to(tmp_path)
    found = find_pictures([str(tmp_path), str(picture.path), str(tmp_path / "again" / "cat.png")])
    assert meshes(found.pictures, output=str(tmp_path / "one.glb")) == ["one.glb"]
    with pytest.raises(OutputError, match="2 pictures"):
        meshes(pictures(tmp_path, "cat.png", "dog.png"), output=str(tmp_path / "one.glb"), seeds=range(2))


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\x00"), min_size=1, max_size=250)
    | st.binary(min_size=1, max_size=250).map(
        lambda name: os.fsdecode(name.replace(b"/", b"_").replace(b"\0", b"_"))
    )
)
@settings(max_examples=200)
def test_every_name_that_can_be_read_gives_one_that_can_be_written(name: str) -> None:
    candidates = stems(Path("folder") / name)
    for stem in (next(candidates) for _ in range(5)):
        assert stem.strip(". ") and "/" not in stem and "\0" not in stem
        assert len(os.fsencode(f"{stem}-seed4294967295-views.png")) <= 255


def test_a_folder_is_known_by_its_slash_or_by_being_one(tmp_path: Path) -> None:
    found = pictures(tmp_path, "toy.png")
    (job,) = plan(found, Wanted(output=f"{tmp_path}/results_v1.2/"))
    assert job.outputs[0].mesh == tmp_path / "results_v1.2" / "toy.glb"
    with pytest.raises(OutputError, match=r"folder's name ends with"):
        plan(found, Wanted(output=f"{tmp_path}/results_v1.2"))
    (tmp_path / "results_v1.2").mkdir()
    (job,) = plan(found, Wanted(output=f"{tmp_path}/results_v1.2"))
    assert job.outputs[0].mesh == tmp_path / "results_v1.2" / "toy.glb"
    for option in ("output", "turntable", "steps"):
        with pytest.raises(OutputError, match="empty"):
            plan(found, Wanted(**{option: ""}))


def test_names_of_dots_stay_inside_the_folder_of_steps(tmp_path: Path) -> None:
    found = pictures(tmp_path, "...png", "..png", "cat.png")
    for job in plan(
        found, Wanted(output=str(tmp_path / "o"), steps=str(tmp_path / "steps"), step_names=["cutout.png"])
    ):
        assert job.step_files[0].resolve().parent.parent == tmp_path / "steps"
