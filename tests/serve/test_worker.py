"""The worker's process: what kills it costs its own request, the next one works, and nothing of
the inside is told.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from geco.errors import WeightsError
from geco.serve import Limits, create_app
from geco.serve.errors import Refusal
from geco.serve.jobs import MeshTask
from geco.serve.metrics import WorkerCounts
from geco.serve.worker import Worker
from tests.serve import misbehave
from tests.serve.conftest import SECONDS

Post = Callable[..., Any]
SMALL = {"resolution": 24, "texture_size": 64}


@pytest.mark.parametrize(
    "seed, status, kind",
    [
        (misbehave.SEGFAULT, 500, "WorkerDied"),
        pytest.param(misbehave.EXIT, 500, "WorkerDied", marks=pytest.mark.slow),
        (misbehave.HANG, 504, "TimeLimit"),
        (misbehave.MEMORY, 500, "MemoryLimit"),
        (misbehave.BUG, 500, "InternalError"),
        (misbehave.LEAK, 500, "WeightsError"),
        (misbehave.FOREIGN, 422, "InputImageError"),
    ],
)
def test_what_goes_wrong_costs_its_own_request_only(
    client: TestClient,
    post: Post,
    picture: bytes,
    seed: int,
    status: int,
    kind: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = client.app.state.crew.workers[0].pid  # type: ignore[attr-defined]
    began = time.monotonic()
    with caplog.at_level(logging.ERROR, "geco.serve"):
        answer = post(picture, seed=seed, headers={"X-Request-Id": f"case-{seed}"})
    assert answer.status_code == status, answer.text
    assert time.monotonic() - began < SECONDS + 10
    error = answer.json()["error"]
    assert error["type"] == kind and error["problem"] and error["request_id"] == f"case-{seed}"
    assert answer.headers["x-request-id"] == f"case-{seed}"
    assert (
        misbehave.SECRET not in answer.text
        and "Traceback" not in answer.text
        and "x-evil" not in answer.headers
    )
    if kind in ("InternalError", "WeightsError"):
        assert misbehave.SECRET in caplog.text, "the log tells what the client is not told"
        assert f"case-{seed}" in caplog.text
    after = post(picture, seed=1, **SMALL)
    assert after.status_code == 200, after.text
    died = kind in ("WorkerDied", "TimeLimit", "MemoryLimit")
    assert (client.app.state.crew.workers[0].pid != before) == died  # type: ignore[attr-defined]


def test_a_worker_that_the_system_ends_between_two_requests_is_started_again(
    client: TestClient, post: Post, picture: bytes
) -> None:
    worker: Worker = client.app.state.crew.workers[0]  # type: ignore[attr-defined]
    assert worker.pid is not None
    # as a service manager does to every process: the server alone decides
    os.kill(worker.pid, signal.SIGTERM)
    time.sleep(0.2)
    assert post(picture, seed=1, **SMALL).status_code == 200
    os.kill(worker.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    time.sleep(0.2)
    assert post(picture, seed=1, **SMALL).status_code == 200
    assert 'geco_worker_restarts_total{reason="idle",worker="0"} 1' in client.get("/metrics").text


def test_a_worker_that_starts_no_more_makes_the_server_unready(tmp_path: Path, picture: bytes) -> None:
    mark = tmp_path / "loaded"
    with TestClient(create_app(misbehave.LoadOnce(mark)), base_url="http://localhost") as client:
        assert client.get("/readyz").status_code == 200
        form = {"seed": str(misbehave.EXIT)}
        assert client.post("/api/v1/mesh", files={"picture": ("p", picture)}, data=form).status_code == 500
        answer = client.post("/api/v1/mesh", files={"picture": ("p", picture)}, data=form)
        assert answer.status_code == 503 and answer.json()["error"]["type"] == "NoWorker"
        assert int(answer.headers["retry-after"]) > 0
        unready = client.get("/readyz")
        assert unready.status_code == 503 and unready.json()["error"]["type"] == "NoWorker"
        assert client.get("/healthz").status_code == 200
        mark.unlink()
        deadline = time.monotonic() + 60
        while client.get("/readyz").status_code != 200:
            assert time.monotonic() < deadline, "it goes on trying"
            time.sleep(0.2)


def test_a_model_that_cannot_be_loaded_is_an_error_at_the_start(tmp_path: Path) -> None:
    mark = tmp_path / "loaded"
    mark.touch()
    with pytest.raises(WeightsError, match="the model is gone"):
        Worker({"small": misbehave.LoadOnce(mark)}, Limits(), WorkerCounts()).start()


def test_a_stopped_worker_refuses() -> None:
    worker = Worker({"small": misbehave.load}, Limits(), WorkerCounts())
    with pytest.raises(Refusal) as caught:
        asyncio.run(worker.run(MeshTask(b""), "id"))
    assert caught.value.status_code == 503
