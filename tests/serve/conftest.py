"""One server for most tests: the embedded model in its worker, with a few seeds that misbehave."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi")
pytest.importorskip("python_multipart")

from fastapi.testclient import TestClient

from geco.serve import Limits, Settings, create_app
from tests.images.pictures import disc, over, textured
from tests.serve import misbehave

UPLOAD = 2 * 2**20
SECONDS = 10.0
SETTINGS = Settings(
    Limits(upload=UPLOAD, seconds=SECONDS, texture=512, faces=100_000, resolution=64, pixels=1_000_000)
)


@pytest.fixture(scope="session")
def client() -> Iterator[TestClient]:
    with TestClient(create_app(misbehave.load, settings=SETTINGS), base_url="http://localhost") as client:
        yield client


@pytest.fixture(scope="session")
def picture() -> bytes:
    generator = np.random.default_rng(0)
    rgb = over(disc(160, 0.33), textured(160, generator), np.ones((160, 160, 3), np.float32))
    buffer = io.BytesIO()
    Image.fromarray((rgb * 255).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def post(client: TestClient) -> Callable[..., Any]:
    """post(data, route="mesh", file="p.png", **fields): a form with a picture."""

    def send(
        data: bytes,
        route: str = "mesh",
        headers: dict[str, str] | None = None,
        file: str = "p.png",
        **fields: object,
    ) -> Any:
        form = {key: str(value) for key, value in fields.items()}
        return client.post(f"/api/v1/{route}", files={"picture": (file, data)}, data=form, headers=headers)

    return send
