"""Runs with a client that openapi-python-client made of a server's own description: every operation, by the
client's own types. ``python generated_client.py URL PICTURE`` prints the operations that were asked for.
"""

from __future__ import annotations

import base64
import io
import json
import sys
import time
import zipfile
from typing import Any

from geco_client import Client  # type: ignore[import-not-found]
from geco_client.api import default  # type: ignore[import-not-found]
from geco_client.models import (  # type: ignore[import-not-found]
    BodyAddJob,
    BodyBatch,
    BodyMesh,
    BodyMeshFormat,
    BodyPreview,
    BodyStill,
    BodyTurntable,
    BodyTurntableFormat,
    Error,
    Job,
    JobTurntableFormat,
    LocalRequest,
)
from geco_client.types import File  # type: ignore[import-not-found]

SMALL: dict[str, Any] = {"resolution": 16, "texture_size": 64}
asked: list[str] = []


def call(name: str, **arguments: Any) -> Any:
    """One operation: what its answer was parsed to."""
    module = __import__(f"{default.__name__}.{name}", fromlist=[name])
    answer = module.sync_detailed(client=client, **arguments)
    assert 200 <= answer.status_code < 300, (name, answer.status_code, answer.content[:500])
    asked.append(name)
    return answer.parsed


def main(picture: bytes) -> None:
    def file() -> File:
        return File(io.BytesIO(picture), "ball.png", "image/png")

    def starts(answer: Any, magic: bytes) -> None:
        assert answer.payload.read(len(magic)) == magic

    assert call("health").status == "ok" and call("ready").status == "ready"
    assert call("models") is not None
    starts(call("mesh", body=BodyMesh(file(), seed=3, outline=False, **SMALL)), b"glTF")
    starts(call("mesh", body=BodyMesh(file(), format_=BodyMeshFormat.PLY, samples=2, **SMALL)), b"PK")
    preview = call("preview", body=BodyPreview(file(), **SMALL))
    assert base64.b64decode(preview.glb)[:4] == b"glTF" and preview.faces > 10
    starts(call("still", body=BodyStill(file(), side=64, azimuth=90.0, **SMALL)), b"\x89PNG")
    turning = BodyTurntable(file(), side=32, format_=BodyTurntableFormat.PNG, **SMALL)
    starts(call("turntable", body=turning), b"\x89PNG")
    starts(call("batch", body=BodyBatch(packed(picture), **SMALL)), b"PK")
    local_protocol(base64.b64encode(picture).decode())
    jobs(file())
    assert "geco_pending_requests" in call("metrics")
    broken = __import__(f"{default.__name__}.mesh", fromlist=["mesh"])
    refused = broken.sync(client=client, body=BodyMesh(File(io.BytesIO(b"no picture"), "x.png")))
    assert isinstance(refused, Error) and refused.error.type_ == "InputImageError"


def packed(picture: bytes) -> File:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("ball.png", picture)
    return File(io.BytesIO(buffer.getvalue()), "p.zip", "application/zip")


def local_protocol(image: str) -> None:
    assert call("generate", body=LocalRequest(image, **SMALL)).payload.read(4) == b"glTF"
    uid = call("send", body=LocalRequest(image, **SMALL)).uid
    status = ended(lambda: call("status", uid=uid), lambda status: status.status.value != "processing")
    assert status.status.value == "completed" and base64.b64decode(status.model_base64)[:4] == b"glTF"


def jobs(file: File) -> None:
    job = call("add_job", body=BodyAddJob(file, samples=1, **SMALL))
    assert isinstance(job, Job) and job.state.value in ("queued", "running")
    assert "event: end" in call("job_events", id=job.id)
    job = ended(lambda: call("job", id=job.id), lambda job: job.state.value not in ("queued", "running"))
    seed = job.seeds[0]
    assert job.state.value == "done" and job.results[0].faces > 10
    assert call("job_mesh", id=job.id, seed=seed).payload.read(4) == b"glTF"
    for name in ("job_views", "job_still"):
        assert call(name, id=job.id, seed=seed).payload.read(4) == b"\x89PNG"
    turning = call("job_turntable", id=job.id, seed=seed, format_=JobTurntableFormat.PNG)
    assert turning.payload.read(4) == b"\x89PNG"
    call("end_job", id=job.id)


def ended(ask: Any, is_over: Any) -> Any:
    for _ in range(600):
        answer = ask()
        if is_over(answer):
            return answer
        time.sleep(0.1)
    raise AssertionError("not done in time")


if __name__ == "__main__":
    client = Client(base_url=sys.argv[1], timeout=60)
    with open(sys.argv[2], "rb") as opened:
        main(opened.read())
    print(json.dumps(sorted(set(asked))))
