"""Jobs, as a client asks for them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

SMALL = {"texture_size": 64, "resolution": 24}
ROUTE = "/api/v1/jobs"


def send(client: Any, picture: bytes, name: str = "My mug.png", **fields: object) -> Any:
    """The answer to a new job."""
    form = {key: str(value) for key, value in {**SMALL, **fields}.items()}
    return client.post(ROUTE, files={"picture": (name, picture)}, data=form)


def ended(client: Any, name: str, within: float = 60) -> dict[str, Any]:
    """The job once it is over."""
    deadline = time.monotonic() + within
    while (job := client.get(f"{ROUTE}/{name}").json())["state"] in ("queued", "running"):
        assert time.monotonic() < deadline, job
        time.sleep(0.05)
    return job


def heard(lines: Iterator[str]) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Events of a stream: name, number, job."""
    event: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if line and name:
            event[name] = value
        elif not line and "data" in event:
            yield event["event"], int(event["id"]), json.loads(event["data"])
            event = {}
