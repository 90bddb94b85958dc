"""The page for everybody: axe-core in every state and both colour schemes, keys alone, a narrow screen, no
scripts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.page.browser import EXAMPLES, Visit

Go = Callable[..., Visit]
SMALL = {"samples": 2, "texture_size": 64, "resolution": 24}
STATES = ("start", "working", "result", "error")


def bring(seen: Visit, state: str) -> None:
    """Into a state, and keep it there."""
    if state == "working":
        seen.page.route("**/api/v1/jobs/*/events", lambda route: None)
    if state == "error":
        seen.give({"name": "a.png", "mimeType": "image/png", "buffer": b"<html>"}, **SMALL)
    elif state != "start":
        seen.give(EXAMPLES / "mug.png", **SMALL)
    seen.until_state(state)
    if state == "result":
        seen.until_shown()
        seen.page.evaluate("document.getElementById('seen').open = true")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing(visit: Go, state: str, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="extra page-test")
    seen = visit(color_scheme=scheme).ready()
    bring(seen, state)
    found = axe.Axe().run(seen.page).response["violations"]
    assert [
        (each["id"], each["impact"], [node["html"][:200] for node in each["nodes"]]) for each in found
    ] == []


@pytest.mark.parametrize("state", STATES)
def test_nothing_is_wider_than_the_narrowest_phone(visit: Go, state: str) -> None:
    seen = visit(viewport={"width": 360, "height": 640}, has_touch=True, is_mobile=True).ready()
    bring(seen, state)
    assert seen.page.evaluate("document.documentElement.scrollWidth") == 360
    assert seen.page.locator("#photo").is_visible(), "a finger may take a photo"
    assert seen.page.locator("#camera").get_attribute("capture") == "environment"


def test_without_scripts_the_page_says_so_and_what_to_do(visit: Go) -> None:
    seen = visit(java_script_enabled=False)
    said = seen.page.locator("noscript").inner_text()
    assert "JavaScript" in said and "curl -F picture=" in said


def test_everything_is_done_by_keys_alone(visit: Go) -> None:
    seen = visit(viewport={"width": 1000, "height": 800}).ready()
    fill = "(all) => Object.keys(all).forEach((name) => $(`option-${name}`).value = all[name])"
    seen.page.evaluate(fill.replace("$", "document.getElementById", 1), SMALL)
    keyboard = seen.page.keyboard
    visited = tab_to(seen, "example:mug")
    assert visited[0] == "Skip to the result" and "Choose a picture" in visited
    keyboard.press("Enter")
    seen.until_state("result")
    seen.until_shown()
    tab_to(seen, "#again")
    assert "MODEL-VIEWER" in tab_to(seen, "object", allowed=30), "the viewer is in the order"
    shown = seen.text("#facts-line")
    keyboard.press("ArrowDown")
    seen.until(lambda: seen.text("#facts-line") not in ("", shown), "the other object")
    tab_to(seen, "#others")
    with seen.page.expect_download() as waiting:
        tab_to(seen, "GLB")
        keyboard.press("Enter")
    assert waiting.value.suggested_filename.startswith("mug-seed")


def tab_to(seen: Visit, wanted: str, allowed: int = 40) -> list[str]:
    """Press Tab until what is wanted has the focus, which must be seen; all that had it on the way."""
    visited = []
    for _ in range(allowed):
        seen.page.keyboard.press("Tab")
        about = seen.page.evaluate(
            """(() => {
                const { tagName, id, name, textContent, type } = document.activeElement;
                const image = document.activeElement.querySelector("img[src*=examples]");
                const words = image ? `example:${image.alt}` : textContent.trim();
                const outline = getComputedStyle(document.activeElement.closest(".card")
                  ?? document.activeElement).outlineStyle;
                return { tagName, id: `#${id}`, name, words, outline };
            })()"""
        )
        visited.append(about["words"] if about["tagName"] != "MODEL-VIEWER" else about["tagName"])
        if about["tagName"] not in ("BODY", "MODEL-VIEWER"):
            assert about["outline"] != "none", about
        if wanted in (about["id"], about["name"], about["words"]):
            return visited
    raise AssertionError(f"{wanted} was not reached: {visited}")


def test_the_viewer_turns_by_arrow_keys_and_has_a_name(visit: Go) -> None:
    seen = visit(viewport={"width": 1000, "height": 800}).ready()
    bring(seen, "result")
    angle = "document.querySelector('model-viewer').getCameraOrbit().theta"
    before = seen.page.evaluate(angle)
    seen.page.evaluate(
        "document.querySelector('model-viewer').shadowRoot.querySelector('.userInput').focus()"
    )
    seen.page.keyboard.press("ArrowRight")
    seen.until(lambda: seen.page.evaluate(angle) != before, "turned")
    assert "mug" in str(seen.page.locator("model-viewer").get_attribute("alt"))


def test_what_happens_is_said_to_screen_readers(visit: Go) -> None:
    seen = visit().ready()
    seen.page.evaluate(
        """window.said = [];
        new MutationObserver(() => said.push(document.getElementById("news").textContent))
          .observe(document.getElementById("news"), { childList: true });"""
    )
    seen.give(EXAMPLES / "mug.png", **SMALL)
    seen.until_state("result")
    said: Any = seen.page.evaluate("window.said")
    assert said == ["Working on mug.", "The views are drawn.", "2 objects of mug are ready."]
    roles = seen.page.evaluate(
        "['main', 'header', 'footer'].map((each) => document.querySelectorAll(each).length)"
    )
    assert roles == [1, 1, 1]
    assert seen.page.locator("#trouble").get_attribute("role") == "alert"


def test_dark_is_dark_in_the_viewer_and_the_sheets_too(visit: Go) -> None:
    seen = visit(viewport={"width": 1000, "height": 900}, color_scheme="dark").ready()
    bring(seen, "result")
    import io

    from PIL import Image

    for place in ("#viewer", ".thumb", "#sheets img"):
        png = seen.page.locator(place).first.screenshot()
        picture = Image.open(io.BytesIO(png)).convert("L")
        corner = picture.crop((6, 6, 16, 16)).getextrema()
        assert corner[1] < 80, (place, corner)
