"""Jobs over the REST interface, with the embedded model behind it."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from geco.serve import Keeping, Limits, Settings, create_app
from tests.serve import misbehave
from tests.serve.jobs import ROUTE, ended, heard, send
from tests.serve.live import Post


@pytest.fixture(autouse=True)
def at_its_usual_pace(client: TestClient) -> None:
    """Whatever other tests of the same server took: a slow one admits less."""
    client.app.state.line.pace.mean = 0.1  # type: ignore[attr-defined]
    client.app.state.line.pace.means.clear()  # type: ignore[attr-defined]


def test_a_job_tells_its_stages_shows_its_views_first_and_keeps_what_a_request_would_give(
    client: TestClient, post: Post, picture: bytes
) -> None:
    answer = send(client, picture, seed=7, samples=2, format="obj")
    job = answer.json()
    assert answer.status_code == 202 and answer.headers["location"] == f"{ROUTE}/{job['id']}"
    assert job["state"] in ("queued", "running") and job["seeds"] == [7, 8] and job["name"] == "My_mug"
    with client.stream("GET", f"{ROUTE}/{job['id']}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        events = list(heard(stream.iter_lines()))
    numbers, names = [number for _, number, _ in events], [name for name, _, _ in events]
    assert numbers == sorted(set(numbers)) and names[-1] == "end"
    assert max(i for i, name in enumerate(names) if name == "views") < names.index("result")
    assert {job["stage"] for name, _, job in events if name == "stage"} >= {"reconstruct", "surface", "bake"}
    done = events[-1][2]
    assert done["state"] == "done" and done["expires"] > done["ended"] > done["created"]
    assert done == client.get(f"{ROUTE}/{job['id']}").json()
    for result, seed in zip(done["results"], (7, 8), strict=True):
        mesh = client.get(result["url"])
        single = post(picture, file="My mug.png", seed=seed, format="obj", resolution=24, texture_size=64)
        assert mesh.content == single.content and result["bytes"] == len(mesh.content)
        assert f"My_mug-{seed}.zip" in mesh.headers["content-disposition"]
        assert result["faces"] > 100 and result["timings"]["total"] > 0
        assert 0 < result["agreement"] <= 1 and result["facts"]["agreement"] == result["agreement"]
        assert Image.open(io.BytesIO(client.get(result["still"]).content)).size == (384, 384)
    sheet = Image.open(io.BytesIO(client.get(done["views"][1]["url"]).content))
    assert sheet.height * 2 == sheet.width * 3


def test_a_listener_takes_up_where_it_was_and_is_told_when_it_has_heard_all(
    client: TestClient, picture: bytes
) -> None:
    job = send(client, picture).json()["id"]
    ended(client, job)
    with client.stream("GET", f"{ROUTE}/{job}/events") as stream:
        events = list(heard(stream.iter_lines()))
    middle, last = events[1][1], events[-1][1]
    with client.stream("GET", f"{ROUTE}/{job}/events", headers={"Last-Event-ID": str(middle)}) as stream:
        assert [number for _, number, _ in heard(stream.iter_lines())] == [n for _, n, _ in events[2:]]
    assert client.get(f"{ROUTE}/{job}/events", headers={"Last-Event-ID": str(last)}).status_code == 204
    assert client.get(f"{ROUTE}/{job}/events", headers={"Last-Event-ID": "x"}).status_code == 422
    head = client.head(f"{ROUTE}/{job}/events")
    assert head.status_code == 200 and head.content == b""


def test_who_waits_is_told_the_place_and_a_cancel_is_heard_at_once(
    client: TestClient, post: Post, picture: bytes
) -> None:
    running = send(client, picture, samples=6).json()["id"]
    first, second = (send(client, picture).json() for _ in range(2))
    assert (first["position"], second["position"]) == (1, 2)
    told = client.delete(f"{ROUTE}/{first['id']}").json()
    assert told["state"] == "cancelled" and told["position"] is None and told["results"] == []
    assert client.get(f"{ROUTE}/{second['id']}").json()["position"] == 1
    with client.stream("GET", f"{ROUTE}/{running}/events") as stream:
        for name, _, _ in heard(stream.iter_lines()):
            if name == "result":
                break
    pid = client.app.state.crew.workers[0].pid  # type: ignore[attr-defined]
    began = time.monotonic()
    stopped = client.delete(f"{ROUTE}/{running}").json()
    assert stopped["state"] == "cancelled" and time.monotonic() - began < 5
    assert 1 <= len(stopped["results"]) < 6
    assert client.get(stopped["results"][0]["url"]).status_code == 200, "what is finished stays"
    assert ended(client, second["id"])["state"] == "done"
    assert client.app.state.crew.workers[0].pid == pid, "it stopped by itself"  # type: ignore[attr-defined]
    assert client.delete(f"{ROUTE}/{running}").status_code == 204
    for path in ("", "/events", "/meshes/0", "/views/0.png", "/turntable/0.gif"):
        assert client.get(f"{ROUTE}/{running}{path}").status_code == 404


def test_what_goes_wrong_costs_its_own_job_only(client: TestClient, picture: bytes) -> None:
    for seed, kind in ((misbehave.SEGFAULT, "WorkerDied"), (misbehave.BUG, "InternalError")):
        bad, good = send(client, picture, seed=seed, samples=1).json(), send(client, picture).json()
        failed = ended(client, bad["id"])
        assert failed["state"] == "failed" and failed["error"]["type"] == kind
        assert misbehave.SECRET not in str(failed)
        assert ended(client, good["id"])["state"] == "done"
    no_picture = ended(client, send(client, b"text").json()["id"])
    assert no_picture["error"]["type"] == "InputImageError" and no_picture["error"]["remedy"]


def test_a_finished_sample_turns_and_does_so_once_only(client: TestClient, picture: bytes) -> None:
    job = ended(client, send(client, picture, seed=3).json()["id"])
    turned = client.get(f"{ROUTE}/{job['id']}/turntable/3.png")
    assert turned.status_code == 200 and turned.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(turned.content)).size == (1024, 512)
    work = client.get("/metrics").text
    assert client.get(f"{ROUTE}/{job['id']}/turntable/3.png").content == turned.content
    counts = [
        next(line for line in text.splitlines() if line.startswith("geco_work_seconds_count"))
        for text in (work, client.get("/metrics").text)
    ]
    assert counts[0] == counts[1]
    assert client.get(f"{ROUTE}/{job['id']}/turntable/4.png").status_code == 404
    assert client.get(f"{ROUTE}/{job['id']}/turntable/3.webm").status_code == 422


@pytest.mark.parametrize("name", ["0" * 32, "x", "..", "A" * 32, "0" * 31])
def test_an_id_that_is_none_finds_nothing(client: TestClient, name: str) -> None:
    assert client.get(f"{ROUTE}/{name}").status_code in (404, 405, 422)
    assert client.delete(f"{ROUTE}/{name}").status_code in (404, 405, 422)


@pytest.fixture(scope="module")
def narrow() -> Iterator[TestClient]:
    """A server that keeps little, for a short time, and lets few listen."""
    keeping = Keeping(seconds=2.0, bytes=250_000, listeners=4, heartbeat=0.2)
    app = create_app(misbehave.load, settings=Settings(Limits(), keeping=keeping))
    with TestClient(app, base_url="http://localhost") as client:
        yield client


def test_results_go_with_time_and_with_size_the_oldest_first(narrow: TestClient, picture: bytes) -> None:
    jobs = [ended(narrow, send(narrow, picture, seed=n).json()["id"]) for n in range(3)]
    states = [narrow.get(f"{ROUTE}/{job['id']}").status_code for job in jobs]
    assert states[-1] == 200 and 404 in states, "three do not fit"
    assert states == sorted(states, reverse=True)
    page = narrow.get("/metrics").text
    assert float(page.split("\ngeco_jobs_bytes ")[1].split()[0]) <= 250_000
    time.sleep(2.1)
    assert narrow.get(f"{ROUTE}/{jobs[-1]['id']}").status_code == 404
    full = ended(narrow, send(narrow, picture, samples=4).json()["id"])
    assert full["state"] == "failed" and full["error"]["type"] == "StoreFull"
    assert "--keep-size" in full["error"]["remedy"]


def test_listeners_are_bounded_and_give_their_places_back(narrow: TestClient, picture: bytes) -> None:
    job = send(narrow, picture, samples=3).json()["id"]
    statuses: list[int] = []

    def listen() -> None:
        with narrow.stream("GET", f"{ROUTE}/{job}/events") as stream:
            statuses.append(stream.status_code)
            for _ in stream.iter_lines():
                pass

    threads = [threading.Thread(target=listen) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 200, 503, 503, 503], "one address has half of the places"
    assert narrow.get(f"{ROUTE}/{job}/events").status_code == 200
    assert "\ngeco_listeners 0" in narrow.get("/metrics").text
