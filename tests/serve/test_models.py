"""Several models by name in one service, and several workers behind its one line."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from fastapi.testclient import TestClient

from geco.errors import ConfigError, GecoError
from geco.loading import EMBEDDED
from geco.model_files.card import CARD
from geco.serve import Limits, Settings, create_app
from geco.serve.crew import Crew
from geco.serve.metrics import Metrics
from tests.serve import misbehave
from tests.serve.jobs import ROUTE, SMALL, ended, send

FORM = {key: str(value) for key, value in SMALL.items()}


def post(client: TestClient, picture: bytes, **fields: object) -> Any:
    form = FORM | {key: str(value) for key, value in fields.items()}
    return client.post("/api/v1/mesh", files={"picture": ("My mug.png", picture)}, data=form)


def workers(client: TestClient) -> list[Any]:
    return client.app.state.crew.workers  # type: ignore[attr-defined]


@pytest.fixture(scope="module", params=["other", pytest.param("full", marks=pytest.mark.slow)])
def two(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The embedded model, and another: a copy of it, or one of the full family, which runs on torch."""
    folder = tmp_path_factory.mktemp("models") / "second"
    if request.param == "full":
        pytest.importorskip("torch")
        from tests.torch_runtime.build import full_folder

        full_folder(tmp_path_factory.mktemp("full")).rename(folder)
    else:
        shutil.copytree(EMBEDDED, folder)
    settings = Settings(Limits(texture=128, steps=1))
    with TestClient(create_app(["small", folder], "cpu", settings), base_url="http://localhost") as client:
        yield client


def test_a_request_says_which_model_and_one_is_loaded_at_a_time(two: TestClient, picture: bytes) -> None:
    listed = two.get("/api/v1/models").json()["models"]
    assert [(model["name"], model["default"], model["loaded"]) for model in listed] == [
        ("small", True, 1),
        ("second", False, 0),
    ]
    steps = listed[1]["steps"]
    assert listed[1]["texture_size"] in (64, 512) and steps in (1, 2), "known before anybody asks for it"
    first = workers(two)[0].pid
    second = post(two, picture, model="second", seed=3)
    assert second.status_code == 200, second.text
    assert unquote(second.headers["x-geco-model"]) == "second"
    assert json.loads(second.headers["x-geco-facts"])["sampling"]["steps"] == 1, "two are beyond the limit"
    assert [model["loaded"] for model in two.get("/api/v1/models").json()["models"]] == [0, 1]
    with pytest.raises(OSError):
        os.kill(first, 0)  # the first one's memory is given back
    small = post(two, picture)
    assert unquote(small.headers["x-geco-model"]) == "small", "the first is the default"
    assert 'geco_worker_switches_total{worker="0"} 2' in two.get("/metrics").text
    refused = post(two, picture, model="third")
    assert refused.status_code == 422 and "model" in refused.json()["error"]["problem"]
    job = ended(two, send(two, picture, model="second", seed=1).json()["id"])
    assert (job["state"], job["model"]) == ("done", "second"), job
    assert two.get(job["results"][0]["url"]).content.startswith(b"glTF")


def test_models_are_told_apart_by_their_names_and_all_are_tried_at_the_start(tmp_path: Path) -> None:
    for folder in ("a/small", "b"):
        shutil.copytree(EMBEDDED, tmp_path / folder)
    with pytest.raises(ConfigError, match="two models are called small"):
        create_app(["small", tmp_path / "a" / "small"])
    (tmp_path / "b" / CARD).write_text("{}")
    app = create_app(["small", tmp_path / "b"])
    with pytest.raises(GecoError), TestClient(app, base_url="http://localhost"):
        pass


@pytest.mark.slow
def test_a_model_that_does_not_load_any_more_costs_its_requests_only(tmp_path: Path, picture: bytes) -> None:
    crew = Crew({"good": misbehave.load, "bad": misbehave.LoadOnce(tmp_path / "mark")}, Limits(), Metrics())
    from geco.serve.app import build

    with TestClient(build(Settings(models=crew.names), crew), base_url="http://localhost") as client:
        answer = post(client, picture, model="bad")
        assert answer.status_code == 503 and answer.json()["error"]["type"] == "NoWorker"
        assert post(client, picture, model="good").status_code == 200


@pytest.fixture(scope="module")
def side_by_side() -> Iterator[TestClient]:
    app = create_app(misbehave.load, settings=Settings(Limits(seconds=20), workers=2))
    with TestClient(app, base_url="http://localhost") as client:
        yield client


def test_two_workers_work_side_by_side_and_each_is_counted(side_by_side: TestClient, picture: bytes) -> None:
    assert len({worker.pid for worker in workers(side_by_side)}) == 2
    alone = post(side_by_side, picture, seed=5).content
    jobs = [send(side_by_side, picture, seed=n, samples=2).json()["id"] for n in (5, 6)]
    deadline = time.monotonic() + 30
    while [side_by_side.get(f"{ROUTE}/{job}").json()["state"] for job in jobs] != ["running"] * 2:
        assert time.monotonic() < deadline, "both at once"
    done = [ended(side_by_side, job) for job in jobs]
    assert [job["state"] for job in done] == ["done", "done"]
    assert side_by_side.get(done[0]["results"][0]["url"]).content == alone, "whichever worker makes it"
    page = side_by_side.get("/metrics").text
    tasks = [line for line in page.splitlines() if line.startswith("geco_worker_tasks_total{")]
    assert len(tasks) == 2 and all(float(line.split()[-1]) > 0 for line in tasks)


def test_a_worker_that_dies_takes_one_request_along(side_by_side: TestClient, picture: bytes) -> None:
    before = [worker.pid for worker in workers(side_by_side)]
    statuses: list[int] = []

    def ask(seed: int) -> None:
        statuses.append(post(side_by_side, picture, seed=seed).status_code)

    threads = [threading.Thread(target=ask, args=(n,)) for n in (misbehave.SEGFAULT, 1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 200, 200, 500]
    after = [worker.pid for worker in workers(side_by_side)]
    assert len(set(before) & set(after)) == 1
    os.kill(after[0], getattr(signal, "SIGKILL", signal.SIGTERM))
    time.sleep(0.3)
    assert post(side_by_side, picture, seed=4).status_code == 200
    assert side_by_side.get("/readyz").status_code == 200
