"""Jobs on disk: what a killed server leaves is found again, and what was lost says so."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from geco.errors import ConfigError
from geco.serve.job import Job, Result
from geco.serve.job_store import RECORD, Store, mesh_file, store_for, views_file
from geco.serve.settings import Keeping


def opened(folder: Path) -> Store:
    store = Store([folder], needed=True)
    store.open()
    return store


def with_result(job: Job, seed: int, data: bytes = b"mesh") -> dict[str, bytes]:
    """The job with one result more; its files."""
    job.results.append(Result(seed, "model/gltf-binary", "mug.glb", len(data), 12, {"total": 1.0}))
    job.drawn.append(seed)
    return {mesh_file(seed): data, views_file(seed): b"views"}


def test_a_job_that_was_over_is_found_as_it_was_and_one_that_was_not_is_lost(tmp_path: Path) -> None:
    store = opened(tmp_path)
    done, running, queued = (Job("mug", "glb", "small", (0, 1)) for _ in range(3))
    for seed in (0, 1):
        store.write(done, with_result(done, seed))
    done.end("done")
    done.note("end")
    store.write(done)
    running.state = "running"
    store.write(running, with_result(running, 0))
    store.write(queued)
    store.close()
    found = {job.id: job for job in opened(tmp_path).found}
    assert found[done.id].record() == done.record()
    lost = found[running.id]
    assert lost.state == "lost" and lost.ended is not None and len(lost.results) == 1
    assert lost.error is not None and "1 of 2 samples were done and are kept" in lost.error["problem"]
    nothing = found[queued.id].error
    assert nothing is not None and "waited in the line; nothing of it was done" in nothing["problem"]


@pytest.mark.parametrize(
    "left", ["no record", "half a record", "no mesh", "half a mesh", "a part", "other's"]
)
def test_what_a_killed_server_leaves_is_no_result(tmp_path: Path, left: str) -> None:
    store, job = opened(tmp_path), Job("mug", "glb", "small", (0, 1))
    store.write(job, with_result(job, 0))
    store.write(job, with_result(job, 1))
    store.close()
    folder = tmp_path / job.id
    if left == "no record":
        (folder / RECORD).unlink()
    elif left == "half a record":
        (folder / RECORD).write_text((folder / RECORD).read_text()[:50])
    elif left == "no mesh":
        (folder / mesh_file(1)).unlink()
    elif left == "half a mesh":
        (folder / mesh_file(1)).write_bytes(b"me")
    elif left == "a part":
        (folder / ".mesh-2-99999999.0a1b2c3d.part").write_bytes(b"part")
    else:
        shutil.copytree(folder, tmp_path / ("0" * 32))
    again = opened(tmp_path)
    results = [len(found.results) for found in again.found]
    assert results == ([] if "record" in left else [1] if "mesh" in left else [2])
    assert folder.exists() == (left != "no record"), "a broken record is left alone"
    assert not list(folder.glob(".*"))


def test_two_servers_do_not_share_a_folder_and_files_that_are_not_ours_stay(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    store = opened(tmp_path)
    with pytest.raises(ConfigError, match="jobs-dir"):
        opened(tmp_path)
    job = Job("mug", "glb", "small", (0,))
    store.write(job, with_result(job, 0, bytes(5000)))
    assert store.held > 5000 and (tmp_path / job.id).stat().st_mode & 0o077 == 0
    store.forget(job)
    assert store.held == 0 and not (tmp_path / job.id).exists()
    store.close()
    opened(tmp_path).close()
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_folder_that_was_asked_for_is_needed_the_others_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(ConfigError, match="jobs-dir"):
        store_for(Keeping(folder=str(file))).open()
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))
    unkept = store_for(Keeping(), "127.0.0.1-8000")
    unkept.open()
    assert unkept.folder is not None and unkept.folder.stat().st_mode & 0o077 == 0
    unkept.close()
    assert not unkept.folder.exists()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    kept = store_for(Keeping(), "127.0.0.1-8000")
    kept.open()
    assert kept.folder == tmp_path / "geco" / "jobs" / "127.0.0.1-8000" and kept.folder.is_dir()
    kept.close()
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))
    none = store_for(Keeping(), "127.0.0.1-8000")
    none.open()
    assert not none.is_open


def test_what_a_killed_server_left_among_the_temporary_files_goes_with_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    held, left, young = tmp_path / "geco-jobs-held", tmp_path / "geco-jobs-left", tmp_path / "geco-jobs-young"
    for folder in (held, left, young):
        opened(folder).close()
        if folder is not young:
            os.utime(folder / ".lock", (1, 1))
    holder = Store([held], needed=True)
    holder.open()
    store = Store([None])
    store.open()
    assert held.exists() and young.exists() and not left.exists()
    store.close()
    holder.close()


def test_a_record_is_plain_json_and_of_events_only_the_needed_are_kept() -> None:
    job = Job("mug", "glb", "small", (0,))
    for done in range(75):
        job.begin_stage("views", done, 75)
    for event in ("views", "stage", "stage", "result", "end"):
        job.note(event)
    assert [name for _, name in job.log] == ["stage", "views", "stage", "result", "end"]
    assert job.serial == 80 and job.log[-1] == (80, "end")
    again = Job.of_record(json.loads(json.dumps(job.record())))
    assert again.log == job.log and again.created == job.created <= time.time()
