"""Screenshots of the page in every state, at 360 and 1200 pixels, light and dark, and the seconds it took:

python -m tests.page.look FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.page.browser import EXAMPLES, QUIET, SOFTWARE_GPU, Visit, browser_path
from tests.serve.live import Live

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
WIDTHS = {360: PHONE, 1200: {"viewport": {"width": 1200, "height": 900}}}


def look(folder: Path) -> None:
    """Write them all."""
    from playwright.sync_api import sync_playwright

    folder.mkdir(parents=True, exist_ok=True)
    live = Live("--quiet")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=[*QUIET, *SOFTWARE_GPU])
        for width, settings in WIDTHS.items():
            for scheme in ("light", "dark"):
                context = browser.new_context(color_scheme=scheme, **settings)
                visit(Visit(context, f"http://127.0.0.1:{live.port}").ready(), folder, f"{width}-{scheme}")
                context.close()
        browser.close()
    live.stop()


def visit(seen: Visit, folder: Path, name: str) -> None:
    """Through all states."""

    def shot(state: str) -> None:
        seen.page.screenshot(path=folder / f"{name}-{state}.png", full_page=True)

    shot("start")
    began = seen.page.evaluate("performance.now()")
    seen.page.set_input_files("#file", EXAMPLES / "bus.png")
    seen.until(lambda: seen.mark("geco-views"), "views")
    shot("working")
    seen.until_shown()
    seen.until_state("result")
    first = {name: (seen.mark(f"geco-{name}") - began) / 1e3 for name in ("views", "first", "mesh")}
    print(name, {what: round(seconds, 2) for what, seconds in first.items()})
    seen.page.evaluate("document.getElementById('seen').open = true")
    seen.page.wait_for_timeout(1500)
    shot("result")
    seen.page.evaluate("document.getElementById('more').open = true")
    seen.page.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": b"<html>"})
    seen.until_state("error")
    shot("error")


if __name__ == "__main__":
    look(Path(sys.argv[1]))
