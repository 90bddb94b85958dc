"""The plan of a run: no input and nothing of others is written over, no two outputs are one,
earlier results make way.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from geco.cli.pictures import Given, find_pictures
from geco.errors import OutputError
from geco.marks import Source, digest_of, mark_text
from geco.outputs import Guard, Wanted, check_file, check_folder, plan
from tests.cases import BUGS
from tests.outputs.build import pictures
from tests.outputs.folders import PNG, trial


def result_of(picture: Path, at: Path) -> Path:
    """An earlier result of a picture."""
    at.write_bytes(mark_text("mesh", Source(picture.name, digest_of(picture.read_bytes()))).encode())
    return at


@pytest.mark.parametrize("first", range(0, 100, 25))
def test_generated_folders_lose_nothing(first: int, tmp_path: Path) -> None:
    outcomes = Counter(trial(seed, tmp_path / str(seed)).outcome for seed in range(first, first + 25))
    assert outcomes["written"] >= 10 and outcomes["refused"] >= 3


@pytest.mark.slow
def test_a_thousand_generated_folders_lose_nothing(tmp_path: Path) -> None:
    for seed in range(1000, 2000):
        trial(seed, tmp_path / "t")
        shutil.rmtree(tmp_path / "t")


def test_the_reported_folder_of_views_keeps_its_pictures(tmp_path: Path) -> None:
    shutil.copytree(BUGS / "run" / "views", tmp_path / "in")
    wanted = Wanted(output=str(tmp_path / "in"), views=True)
    for _ in range(2):  # the second run finds the sheets of the first
        jobs = plan(find_pictures([str(tmp_path / "in")]).pictures, wanted)
        assert [job.picture.path.name for job in jobs] == ["cat-views.png", "cat.png"]
        names = [path.name for job in jobs for path in job.files()]
        assert names == ["cat-views.glb", "cat-views-views.png", "cat-png.glb", "cat-png-views.png"]
        for job in jobs:
            for path in job.files():
                result_of(job.picture.path, path)


@pytest.mark.parametrize("option", ["turntable", "output", "steps"])
def test_a_named_output_that_is_an_input_is_refused_by_whatever_name(option: str, tmp_path: Path) -> None:
    name = {"turntable": "cat.png", "output": "cat.glb", "steps": "cutout.png"}[option]
    found = pictures(tmp_path, name)
    for other in ("same", "link", "hard", "case", "through"):
        folder = tmp_path / f"{other}-{option}"
        folder.mkdir()
        at = folder / name
        if other == "same":
            folder, at = tmp_path, tmp_path / name
        elif other == "link":
            at.symlink_to(tmp_path / name)
        elif other == "hard":
            os.link(tmp_path / name, at)
        elif other == "through":
            folder.rmdir()
            folder.symlink_to(tmp_path)
        else:
            folder, at = tmp_path, tmp_path / name.upper()
        value = {"turntable": at, "output": at, "steps": folder}[option]
        if other == "case" and option == "steps":
            continue
        for overwrite in (False, True):
            wanted = Wanted(**{option: str(value)}, step_names=["cutout.png"], overwrite=overwrite)
            with pytest.raises(OutputError, match="input"):
                plan(found, wanted)


def test_an_input_that_is_a_link_protects_the_file_it_leads_to(tmp_path: Path) -> None:
    pictures(tmp_path, "real.png")
    (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
    with pytest.raises(OutputError, match="input"):
        plan([Given(tmp_path / "link.png")], Wanted(turntable=str(tmp_path / "real.png"), overwrite=True))


def test_outputs_that_meet_are_refused(tmp_path: Path) -> None:
    found = pictures(tmp_path, "cat.png")
    with pytest.raises(OutputError, match="twice"):
        plan(found, Wanted(output=str(tmp_path), views=True, turntable=str(tmp_path / "CAT-Views.png")))
    steps = str(tmp_path / "o" / "x.glb")
    with pytest.raises(OutputError, match="folder"):
        plan(found, Wanted(output=str(tmp_path / "o" / "x.glb"), steps=steps, step_names=["cutout.png"]))


def test_two_outputs_that_are_links_to_one_file_are_refused(tmp_path: Path) -> None:
    (picture,) = pictures(tmp_path, "cat.png")
    for name in ("cat.glb", "cat-views.png"):
        (tmp_path / name).symlink_to(result_of(picture.path, tmp_path / "one"))
    with pytest.raises(OutputError, match="twice"):
        plan([picture], Wanted(output=str(tmp_path), views=True))


def test_results_named_with_their_picture_are_passed_over_and_named_alone_are_meant(tmp_path: Path) -> None:
    first, second = pictures(tmp_path, "cat.png", "dog.png")
    sheet = result_of(first.path, tmp_path / "cat-views.png")
    found = find_pictures([str(path) for path in (sheet, first.path, second.path)])
    assert [given.path for given in found.pictures] == [first.path, second.path]
    assert found.skipped == [(sheet, "written by GECO")]
    assert [given.path for given in find_pictures([str(sheet), str(second.path)]).pictures] == [
        sheet,
        second.path,
    ]


def test_what_is_no_result_of_the_same_picture_is_replaced_only_when_asked(tmp_path: Path) -> None:
    first, second = pictures(tmp_path, "a/cat.png", "b/cat.png")
    target = tmp_path / "out" / "cat.glb"
    target.parent.mkdir()
    wanted = Wanted(output=str(tmp_path / "out"))
    contents = [
        b"",
        b"somebody's work",
        mark_text("mesh").encode(),
        mark_text("mesh", Source("dog.png", "0" * 16)).encode(),
    ]
    for content in contents:
        target.write_bytes(content)
        with pytest.raises(OutputError, match="--overwrite") as caught:
            plan([first], wanted)
        assert len(str(caught.value).splitlines()) == 1
        plan([first], replace(wanted, overwrite=True))
    result_of(first.path, target)
    plan([first], wanted)
    with pytest.raises(OutputError, match="another input"):  # another picture of the same name
        plan([second], wanted)
    target.unlink()
    target.mkdir()
    with pytest.raises(OutputError, match="folder"):
        plan([first], replace(wanted, overwrite=True))
    target.rmdir()
    target.symlink_to("/dev/null")  # writing goes through links
    for overwrite in (False, True):
        with pytest.raises(OutputError, match="no ordinary file"):
            plan([first], replace(wanted, overwrite=overwrite))


def test_an_edited_picture_replaces_the_result_beside_it_and_no_other(tmp_path: Path) -> None:
    (picture,) = pictures(tmp_path, "cat.png")
    (tmp_path / "out").mkdir()
    for folder in (tmp_path, tmp_path / "out"):
        result_of(picture.path, folder / "cat.glb")
    picture.path.write_bytes(PNG + b"edited")
    plan([picture], Wanted(output=str(tmp_path)))
    with pytest.raises(OutputError, match="another input"):
        plan([picture], Wanted(output=str(tmp_path / "out")))


def test_results_of_before_there_were_marks_make_way(tmp_path: Path) -> None:
    (picture,) = pictures(tmp_path, "cat.png")
    (tmp_path / "cat.obj").write_bytes(b"# GECO 0.1.0\nmtllib cat.mtl\n")
    plan([picture], Wanted(output=str(tmp_path), format="obj"))


def test_what_appears_after_the_planning_is_not_written_over(tmp_path: Path) -> None:
    (job,) = plan(pictures(tmp_path, "cat.png"), Wanted(output=str(tmp_path)))
    job.check(job.files())
    job.outputs[0].mesh.write_bytes(b"of another program, a moment ago")
    with pytest.raises(OutputError, match="not a result"):
        job.check(job.files())


def test_the_guard_of_other_commands_has_the_same_rules(tmp_path: Path) -> None:
    (picture,) = pictures(tmp_path, "cat.png")
    check_file(tmp_path / "sheet.png", [picture.path])
    with pytest.raises(OutputError, match="input"):
        check_file(picture.path, [picture.path], overwrite=True)
    with pytest.raises(OutputError, match="not a result"):
        check_file(picture.path)
    (tmp_path / "sheet.png").write_bytes(mark_text("sheet", Source("shards")).encode())
    check_file(tmp_path / "sheet.png", makes_way=lambda path, mark: mark.names(Source("shards")))
    with pytest.raises(OutputError, match="another input"):
        check_file(tmp_path / "sheet.png", makes_way=lambda path, mark: mark.names(Source("others")))
    with pytest.raises(OutputError, match="too long"):
        Guard([]).claim(tmp_path / ("x" * 256))
    with pytest.raises(OutputError, match=r"cat\.png"):
        check_folder(tmp_path, ["cat.png", "b"], is_ours=lambda folder: False)
    check_folder(tmp_path, ["cat.png", "b"], is_ours=lambda folder: True)
    check_folder(tmp_path, ["c"], is_ours=lambda folder: False)
    with pytest.raises(OutputError, match="not a folder"):
        check_folder(picture.path, [], is_ours=lambda folder: True)


def test_a_plan_looks_at_a_folder_once_and_not_once_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over a network each look costs a millisecond."""
    names = [f"p{number}.png" for number in range(2000)]
    found, looks = pictures(tmp_path, *names), Counter[str]()
    for name in ("stat", "lstat", "access"):
        plain = getattr(os, name)

        def counted(*given: object, _name: str = name, _plain: Any = plain, **more: object) -> object:
            looks[_name] += 1
            return _plain(*given, **more)

        monkeypatch.setattr(os, name, counted)
    jobs = plan(found, Wanted(output=f"{tmp_path}/out/"))
    assert len(jobs) == 2000 and looks.total() < 16 * len(jobs), looks
