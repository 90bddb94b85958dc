"""The manifest: one writer, torn lines passed over, at home wherever its folder moves."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from geco.errors import OutputError
from geco.many.manifest import Manifest, digest_of_picture, stamp_of, state_of
from geco.many.results import AnyJob, Failure, Result, Sample
from geco.outputs import Wanted, plan
from tests.many.build import lines
from tests.outputs.build import pictures


def planned(folder: Path) -> list[AnyJob]:
    wanted = Wanted(output=f"{folder}/out/", known=lambda path: True)
    return plan(pictures(folder / "in", "a.png", "b.png"), wanted)


def made(job: AnyJob, number: int) -> Result:
    """A result with a file, as a maker writes it."""
    mesh = job.outputs[0].mesh
    mesh.parent.mkdir(exist_ok=True)
    mesh.write_bytes(b"mesh" * (number + 1))
    sample = Sample(0, mesh, [mesh], "small", {"total": 0.5}, {"faces": 7}, {})
    digest, stamp = digest_of_picture(job.picture), stamp_of(job.picture)
    return Result(number, [sample], [mesh], digest=digest, stamp=stamp, seconds=0.6)


def written(folder: Path) -> list[AnyJob]:
    """A folder with two pictures, done, and their manifest."""
    jobs = planned(folder)
    with Manifest(folder / "out" / "manifest.jsonl").held() as manifest:
        manifest.begin("choices", {"pictures": 2})
        for number, job in enumerate(jobs):
            manifest.add(job, made(job, number), "choices")
    return jobs


def states(folder: Path, choices: str = "choices") -> list[str]:
    with Manifest(folder / "out" / "manifest.jsonl").held() as manifest:
        return [state_of(job, manifest, choices) for job in planned(folder)]


def test_what_is_done_is_known_after_a_move_and_by_content_alone(tmp_path: Path) -> None:
    written(tmp_path / "here")
    assert states(tmp_path / "here") == ["done", "done"]
    assert states(tmp_path / "here", "others") == ["", ""]
    shutil.copytree(tmp_path / "here", tmp_path / "there")  # other times, other folder
    assert states(tmp_path / "there") == ["done", "done"]
    (tmp_path / "there" / "in" / "a.png").write_bytes(b"\x89PNG\r\n\x1a\nanother")
    assert states(tmp_path / "there") == ["", "done"]
    (tmp_path / "here" / "out" / "b.glb").write_bytes(b"cut")
    assert states(tmp_path / "here") == ["done", ""]


def test_a_line_that_a_death_left_half_written_costs_that_line(tmp_path: Path) -> None:
    jobs = written(tmp_path)
    path = tmp_path / "out" / "manifest.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    assert states(tmp_path) == ["done", ""]
    with Manifest(path).held() as manifest:
        manifest.add(jobs[1], made(jobs[1], 1), "choices")
    assert states(tmp_path) == ["done", "done"]


def test_failures_of_the_picture_are_kept_and_those_of_the_machine_tried_again(tmp_path: Path) -> None:
    jobs = written(tmp_path)
    with Manifest(tmp_path / "out" / "manifest.jsonl").held() as manifest:
        for job, kind in zip(jobs, ("MeshError", "OutputError")):
            digest = digest_of_picture(job.picture)
            failed = Result(0, failure=Failure(kind, "the disk", "Free some."), digest=digest)
            manifest.add(job, failed, "choices")
    assert states(tmp_path) == ["failed", ""]
    assert lines(tmp_path / "out" / "manifest.jsonl")[-1]["error"]["remedy"] == "Free some."


def test_one_run_at_a_time_and_never_over_a_file_of_others(tmp_path: Path) -> None:
    written(tmp_path)
    path = tmp_path / "out" / "manifest.jsonl"
    with (
        Manifest(path).held(),
        pytest.raises(OutputError, match="another run is writing"),
        Manifest(path).held(),
    ):
        pass
    foreign = tmp_path / "notes.jsonl"
    foreign.write_text('{"mine": 1}\n')
    with pytest.raises(OutputError, match="no manifest of GECO"), Manifest(foreign).held():
        pass
    assert foreign.read_text() == '{"mine": 1}\n'
