"""One browser and one server for all tests; without Chromium or Playwright they are skipped, in one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("python_multipart")

from tests.page.browser import QUIET, SOFTWARE_GPU, Visit, browser_path
from tests.serve.live import Live


@pytest.fixture(scope="session")
def playwright() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed (extra page-test)")
    if browser_path() is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
    with api.sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def launch(playwright: Any) -> Callable[..., Any]:
    """launch(*flags): a browser."""

    def start(*flags: str) -> Any:
        return playwright.chromium.launch(executable_path=browser_path(), args=[*QUIET, *flags])

    return start


@pytest.fixture(scope="session")
def browser(launch: Callable[..., Any]) -> Iterator[Any]:
    browser = launch(*SOFTWARE_GPU)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def server() -> Iterator[Live]:
    live = Live("--quiet")
    yield live
    live.kill()


@pytest.fixture(scope="session")
def address(server: Live) -> str:
    return f"http://127.0.0.1:{server.port}"


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Callable[..., Visit]]:
    """visit(path="", **context): a page in a context of its own; what goes wrong in it fails the test."""
    contexts: list[Any] = []
    visits: list[Visit] = []

    def go(path: str = "", own: Any = None, problems: bool = False, **settings: Any) -> Visit:
        context = (own or browser).new_context(**{"viewport": {"width": 800, "height": 700}, **settings})
        contexts.append(context)
        visits.append(made := Visit(context, address, path))
        if problems:
            visits.pop()
        return made

    yield go
    for context in contexts:
        context.close()
    for made in visits:
        assert made.problems == []
        assert [url for url in made.asked if not url.startswith((address, "blob:", "data:"))] == []
