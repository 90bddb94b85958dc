"""Jobs of a real server: their clients leave, and it is stopped, killed and started again."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.serve.jobs import ROUTE, SMALL
from tests.serve.live import Live, answer, form

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


def add(live: Live, picture: bytes, **fields: object) -> dict[str, Any]:
    """A new job."""
    fields = {**SMALL, **fields}
    request = form(picture, **fields).replace(b"/api/v1/mesh", ROUTE.encode(), 1)
    status, whole = live.ask(request)
    assert status == 202, whole
    return json.loads(whole.partition(b"\r\n\r\n")[2])


def until(live: Live, name: str, wanted: Any, within: float = 60) -> dict[str, Any]:
    """The job once ``wanted`` is true of it."""
    deadline = time.monotonic() + within
    while not wanted(job := json.loads(live.get(f"{ROUTE}/{name}"))):
        assert time.monotonic() < deadline, job
        time.sleep(0.05)
    return job


def over(job: dict[str, Any]) -> bool:
    return job["state"] not in ("queued", "running")


def mesh(live: Live, url: str) -> bytes:
    status, whole = live.ask(f"GET {url} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    assert status == 200
    return whole.partition(b"\r\n\r\n")[2]


def test_a_job_goes_on_without_its_client_and_its_results_outlive_a_killed_server(
    picture: bytes, tmp_path: Path
) -> None:
    options = ("--jobs-dir", str(tmp_path / "jobs"), "--grace", "600")  # a slow machine admits as much
    live = Live(*options)
    try:
        request = form(picture, seed=5, **SMALL).replace(b"/api/v1/mesh", ROUTE.encode(), 1)
        live.connect(request).close()  # gone before it is answered
        deadline = time.monotonic() + 60
        while not list((tmp_path / "jobs").glob("*/mesh-5")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        done = add(live, picture, seed=7)["id"]
        finished = until(live, done, over)
        assert finished["state"] == "done"
        before = mesh(live, finished["results"][0]["url"])
        running = add(live, picture, samples=16)["id"]
        partly = until(live, running, lambda job: job["results"])
        queued = add(live, picture)["id"]
        live.kill()
        live = Live(*options)
        assert any("2 of them lost" in line for line in live.lines), live.lines
        assert json.loads(live.get(f"{ROUTE}/{done}")) == finished
        assert mesh(live, finished["results"][0]["url"]) == before
        lost = json.loads(live.get(f"{ROUTE}/{running}"))
        assert lost["state"] == "lost" and "samples were done and are kept" in lost["error"]["problem"]
        assert lost["results"][: len(partly["results"])] == partly["results"], "what was told is there"
        assert mesh(live, lost["results"][0]["url"]).startswith(b"glTF")
        assert "nothing of it was done" in json.loads(live.get(f"{ROUTE}/{queued}"))["error"]["problem"]
        assert until(live, add(live, picture)["id"], over)["state"] == "done"
    finally:
        live.kill()


@pytest.mark.slow
def test_a_stop_finishes_the_jobs_that_fit_and_says_what_it_lost(picture: bytes, tmp_path: Path) -> None:
    options = ("--jobs-dir", str(tmp_path / "jobs"), "--grace", "6")
    live = Live(*options)
    try:
        until(live, add(live, picture)["id"], over)
        short = add(live, picture)["id"]
        listener = live.connect(
            f"GET {ROUTE}/{short}/events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        )
        code, seconds = live.stop(signal.SIGTERM)
        assert code == 143 and seconds < 7
        assert b'"state": "done"' in answer(listener)[1]
        live = Live(*options, "--max-texture", "2048")
        assert json.loads(live.get(f"{ROUTE}/{short}"))["state"] == "done"
        long = add(live, picture, samples=16, texture_size=2048)["id"]
        until(live, long, lambda job: job["state"] == "running")
        code, seconds = live.stop(signal.SIGTERM)
        assert code == 143 and seconds < 9
        live = Live(*options)
        lost = json.loads(live.get(f"{ROUTE}/{long}"))
        assert lost["state"] == "lost" and "the server stopped while this job" in lost["error"]["problem"]
    finally:
        live.kill()
