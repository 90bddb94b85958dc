"""A real Chromium at the real page of a real `geco serve`."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# SwiftShader draws WebGL on the CPU. The browser asks nothing of the outside.
QUIET = (
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SOFTWARE_GPU = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader")
NO_GPU = ("--disable-gpu", "--disable-3d-apis")
PATIENCE = 90.0  # seconds: SwiftShader on a busy machine takes tens of them for a first picture


def browser_path() -> str | None:
    """Of the first browser of Chromium's family that is installed."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


class Visit:
    """One page of the browser, at the server, with what went wrong in it."""

    def __init__(self, context: Any, address: str, path: str = "") -> None:
        self.page = context.new_page()
        self.problems: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.set_default_timeout(PATIENCE * 1000)
        self.address = address
        self.page.goto(f"{address}/{path}")

    def _heard(self, message: Any) -> None:
        # what the network answers is the test's own business
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.problems.append(message.text)

    @property
    def state(self) -> str:
        """start, working, result or error."""
        return str(self.page.evaluate("document.body.dataset.state"))

    def until(self, true: Callable[[], Any], what: str = "") -> Any:
        """Wait until a question about the page is answered with yes; its answer."""
        end = time.monotonic() + PATIENCE
        while not (answer := true()):
            assert time.monotonic() < end, f"not in {PATIENCE} s: {what}; {self.state}; {self.problems}"
            self.page.wait_for_timeout(20)
        return answer

    def ready(self) -> Visit:
        """The options have come."""
        self.page.wait_for_selector("#random")
        return self

    def give(self, picture: str | Path | dict[str, Any], **options: Any) -> None:
        """Choose options by name, then a picture in the file dialog."""
        self.choose(**options)
        self.page.set_input_files("#file", picture)

    def choose(self, **options: Any) -> None:
        """Fill in options by name; those that are folded away are unfolded first."""
        self.page.evaluate("document.getElementById('more').open = true")
        for name, value in options.items():
            field = self.page.locator(f"#option-{name}")
            if name == "samples":
                field.select_option(str(value))
            else:
                field.fill(str(value))

    def until_state(self, state: str) -> None:
        """Wait for it."""
        self.until(lambda: self.state == state, state)

    def until_shown(self) -> None:
        """The mesh is on the screen."""
        self.until(lambda: self.mark("geco-mesh"), "mesh")

    def mark(self, name: str) -> float | None:
        """Milliseconds since the page was opened at which the page last noted it."""
        found = self.page.evaluate(f"performance.getEntriesByName('{name}').map((mark) => mark.startTime)")
        return float(found[-1]) if found else None

    def text(self, selector: str) -> str:
        """What an element says; empty where it is hidden."""
        found = self.page.locator(selector)
        return str(found.inner_text()) if found.is_visible() else ""
