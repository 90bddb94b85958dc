"""What `geco view` opens, in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from geco.serve.viewing import Viewing
from tests.page.browser import NO_GPU, Visit
from tests.page.test_faults import colours, picture_of

CORNERS = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n"


@pytest.fixture
def viewing(tmp_path: Path) -> Any:
    from geco.serve.viewed import as_glb

    (tmp_path / "toy.obj").write_text(CORNERS)
    server = Viewing(as_glb(tmp_path / "toy.obj"), "toy.obj")
    server.start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_mesh_is_shown_under_its_name(browser: Any, viewing: Viewing) -> None:
    context = browser.new_context(viewport={"width": 600, "height": 500})
    seen = Visit(context, viewing.address.rstrip("/"))
    seen.until_shown()
    assert seen.text("h1") == "toy.obj" and seen.page.title() == "toy.obj, GECO"
    seen.until(lambda: colours(picture_of(seen)) > 20, "drawn")
    assert seen.problems == []
    assert not [url for url in seen.asked if not url.startswith((viewing.address, "blob:", "data:"))]
    context.close()


def test_without_webgl_it_says_so(launch: Any, viewing: Viewing) -> None:
    blind = launch(*NO_GPU)
    seen = Visit(blind.new_context(), viewing.address.rstrip("/"))
    seen.until(lambda: "no WebGL" in seen.text("#viewer"))
    blind.close()
