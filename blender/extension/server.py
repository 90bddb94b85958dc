"""Objects made by a ``geco serve``: its jobs, over urllib, and the GLB that each seed became."""

from __future__ import annotations

import contextlib
import io
import ipaddress
import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from .glb import read_glb
from .made import Array, Made, made_of
from .work import Failure, Job, Maker, Steps

PAUSE = 0.3  # seconds between two looks at a job
PATIENCE = 30.0  # seconds for the server to answer at all
ENDED = {"done", "failed", "cancelled", "lost"}


@dataclass(frozen=True)
class Server:
    """Where, and as whom.

    Attributes:
        address: "http://127.0.0.1:8000". token: "" is none. model: "" is the server's own.
    """

    address: str
    token: str = ""
    model: str = ""

    def ask(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> bytes:
        """The answer's body; raises :class:`Failure` with what the server, or the network, said."""
        headers = {"Content-Type": kind} if kind else {}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        url = urljoin(self.address.rstrip("/") + "/", path.lstrip("/"))
        request = urllib.request.Request(url, body, headers, method=method)
        try:
            with self._opener().open(request, timeout=PATIENCE) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            raise Failure(_said(error)) from error
        except (OSError, ValueError) as error:
            why = getattr(error, "reason", error)
            raise Failure(f"no answer from {self.address}: {why}. Is geco serve running there?") from error

    def _opener(self) -> urllib.request.OpenerDirector:
        """This machine is never asked by way of a proxy."""
        here = is_here(urlsplit(self.address).hostname or "")
        return urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if here else []))


def maker(server: Server, choices: dict[str, Any], online: bool) -> Maker:
    """What makes objects on a server with these choices.

    Args:
        online: whether Blender's user allows other machines to be asked.

    Raises:
        Failure: the address is none, or may not be asked.
    """
    parts = urlsplit(server.address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Failure(f"{server.address!r} is no address: it looks like http://127.0.0.1:8000")
    if not online and not is_here(parts.hostname):
        raise Failure("Blender is offline: Preferences, System, Network, Allow Online Access")

    def make(job: Job, steps: Steps) -> Iterator[Made]:
        steps.step("sending the picture", 0.0)
        fields = {**choices, "seed": job.seeds[0], "samples": len(job.seeds)}
        if server.model:
            fields["model"] = server.model
        body, kind = form(fields, _bytes(job.picture), f"{job.name}.png")
        started = json.loads(server.ask("POST", "/api/v1/jobs", body, kind))
        where = f"/api/v1/jobs/{started['id']}"
        try:
            yield from _results(server, where, job, steps)
        finally:
            # ends what still runs, or forgets what is over; the server does so by itself after its time
            with contextlib.suppress(Failure):
                server.ask("DELETE", where)

    return make


def _results(server: Server, where: str, job: Job, steps: Steps) -> Iterator[Made]:
    """Each seed's object as soon as the server has it."""
    fetched: set[int] = set()
    while True:
        state = json.loads(server.ask("GET", where))
        for result in state.get("results", []):
            seed = int(result["seed"])
            if seed not in fetched:
                fetched.add(seed)
                surface = read_glb(server.ask("GET", f"{where}/meshes/{seed}"))
                facts = {"model": state.get("model"), "agreement": result.get("agreement")}
                yield made_of(surface, job.name, seed, facts)
        if state["state"] in ENDED:
            break
        steps.step(_words(state), len(fetched) / len(job.seeds))
        time.sleep(PAUSE)
    if state["state"] != "done":
        error = state.get("error") or {}
        raise Failure(_sentence(error) or f"the server says: {state['state']}")


def _words(state: dict[str, Any]) -> str:
    if state["state"] == "queued":
        return f"waiting in line, number {state['position']}" if state.get("position") else "waiting in line"
    step = state.get("step")
    of = f" ({step['done']} of {step['of']})" if step else ""
    return f"on the server: {state.get('stage') or 'working'}{of}"


def form(fields: dict[str, Any], picture: bytes, name: str) -> tuple[bytes, str]:
    """A multipart form and its content type."""
    border = uuid.uuid4().hex
    out = io.BytesIO()
    for key, value in fields.items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        out.write(f'--{border}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{text}\r\n'.encode())
    safe = name.replace('"', "'").replace("\r", " ").replace("\n", " ")
    head = f'Content-Disposition: form-data; name="picture"; filename="{safe}"\r\n'
    out.write(f"--{border}\r\n{head}Content-Type: application/octet-stream\r\n\r\n".encode())
    out.write(picture + f"\r\n--{border}--\r\n".encode())
    return out.getvalue(), f"multipart/form-data; boundary={border}"


def _bytes(picture: Path | Array) -> bytes:
    if isinstance(picture, Path):
        try:
            return picture.read_bytes()
        except OSError as error:
            raise Failure(f"it cannot be read: {error.strerror}") from error
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG")
    return out.getvalue()


def _said(error: urllib.error.HTTPError) -> str:
    try:
        said = _sentence(json.loads(error.read())["error"])
    except (ValueError, KeyError, TypeError, OSError):
        said = ""
    return said or f"the server answers {error.code} {error.reason}"


def _sentence(error: dict[str, Any]) -> str:
    return ". ".join(part.rstrip(".") for part in (error.get("problem"), error.get("remedy")) if part)


def is_here(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
