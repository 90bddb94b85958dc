"""Whatever goes wrong is one sentence, in place of what was shown before; and what is old never wins."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from tests.page.browser import EXAMPLES, NO_GPU, Visit
from tests.serve.live import Live

Go = Callable[..., Visit]
SMALL = {"samples": 1, "texture_size": 64, "resolution": 24}
POSTS = "**/api/v1/*"


def test_the_older_answer_never_wins(visit: Go) -> None:
    """P1: the first picture's answer is held back until long after the second's."""
    seen = visit().ready()
    held: list[Any] = []

    def late(route: Any) -> None:
        if route.request.method == "POST" and not held:
            held.append(route)
        else:
            route.continue_()

    seen.page.route(POSTS, late)
    seen.give(EXAMPLES / "mug.png", **SMALL)
    seen.until(lambda: held)
    seen.give(EXAMPLES / "boot.png")
    seen.until_state("result")
    with suppress(Exception):  # called off by the browser already, which is as good
        held[0].continue_()
    time.sleep(2)
    assert seen.state == "result" and "boot" in seen.text("#news")
    with seen.page.expect_download() as waiting:
        seen.page.locator("#downloads a").click()
    assert waiting.value.suggested_filename == "boot.glb"
    assert not seen.page.locator("#history").is_visible(), "the run that was called off has no result"


def test_an_error_takes_the_place_of_the_old_result(visit: Go) -> None:
    """P2."""
    seen = visit().ready()
    seen.give(EXAMPLES / "mug.png", **SMALL)
    seen.until_state("result")
    seen.give({"name": "page.png", "mimeType": "image/png", "buffer": b"<html>no picture</html>"})
    seen.until_state("error")
    said = seen.text("#trouble")
    assert "text" in said and said.count("\n") == 0
    for gone in ("#stand", "#downloads", "#cards", "#work", "#viewer-tools"):
        assert not seen.page.locator(gone).is_visible(), gone
    assert seen.page.locator("model-viewer").count() == 0
    seen.give(EXAMPLES / "mug.png")
    seen.until_state("result")
    assert not seen.page.locator("#trouble").is_visible()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"status": 502, "content_type": "text/html", "body": "<html>Bad gateway</html>"}, "proxy"),
        ({"status": 418, "content_type": "text/html", "body": "<html>"}, "Something other than the server"),
        ({"status": 413, "content_type": "text/html", "body": ""}, "too large"),
        (
            {
                "status": 503,
                "content_type": "application/json",
                "headers": {"Retry-After": "7"},
                "body": '{"error": {"type": "Busy", "problem": "x", "remedy": "", "request_id": ""}}',
            },
            "The server is busy. Try again in 7 seconds.",
        ),
        ({"status": 200, "content_type": "application/json", "body": "<html>"}, "Something other than"),
    ],
)
def test_answers_of_others_are_told_by_their_kind(visit: Go, answer: dict[str, Any], said: str) -> None:
    """P4."""
    seen = visit().ready()
    seen.page.route(POSTS, lambda route: route.fulfill(**answer))
    seen.give(EXAMPLES / "mug.png", samples=1)
    seen.until_state("error")
    assert said in seen.text("#trouble") and "<" not in seen.text("#trouble")


def test_a_server_that_is_gone_is_told_so_and_one_that_is_back_is_used(browser: Any) -> None:
    live = Live("--quiet")
    context = browser.new_context()
    try:
        seen = Visit(context, f"http://127.0.0.1:{live.port}").ready()
        live.kill()
        seen.give(EXAMPLES / "mug.png", **SMALL)
        seen.until_state("error")
        assert "The server does not answer" in seen.text("#trouble")
        live = Live("--quiet", "--port", str(live.port))
        seen.page.locator("#again").click()
        seen.until_state("result")
    finally:
        context.close()
        live.kill()


def test_a_wrong_field_is_named_with_what_it_may_hold_and_has_the_focus(visit: Go) -> None:
    seen = visit().ready()
    seen.give(EXAMPLES / "mug.png", samples=1, faces=50)
    seen.until_state("error")
    assert seen.text("#trouble") == "Most faces: choose a whole number from 100 to 500,000."
    assert seen.page.evaluate("document.activeElement.getAttribute('aria-invalid')") == "true"


def test_choices_that_do_not_go_together_come_back_as_the_server_s_sentence(visit: Go) -> None:
    seen = visit().ready()
    seen.choose(samples=1, texture_size=64)
    seen.page.check("#option-vertex_colors")
    seen.give(EXAMPLES / "mug.png")
    seen.until_state("error")
    assert "colours at the vertices need none" in seen.text("#trouble")


def test_a_run_can_be_cancelled_and_leaves_nothing_behind(visit: Go, server: Live) -> None:
    seen = visit().ready()
    seen.page.route(POSTS, lambda route: None if route.request.method == "POST" else route.continue_())
    seen.give(EXAMPLES / "mug.png", **SMALL)
    seen.until_state("working")
    seen.page.get_by_role("button", name="Cancel").click()
    seen.until_state("start")
    assert seen.text("#news") == "Cancelled." and not seen.page.locator("#work").is_visible()
    seen.page.unroute_all()
    seen.page.locator("#again").click()
    seen.until_state("result")


def test_a_server_with_a_token_asks_for_it_once(browser: Any) -> None:
    live = Live("--quiet", "--token", "sesame-sesame")
    context = browser.new_context()
    try:
        seen = Visit(context, f"http://127.0.0.1:{live.port}").ready()
        seen.give(EXAMPLES / "mug.png", **SMALL)
        for given in ("wrong", "sesame-sesame"):
            seen.page.wait_for_selector("#token-dialog[open]")
            seen.page.fill("#token", given)
            seen.page.get_by_role("button", name="Go on").click()
        seen.until_state("result")
        seen.page.locator("#again").click()
        seen.until_state("working")
        seen.until_state("result")
    finally:
        context.close()
        live.kill()


def test_a_lost_gpu_comes_back_with_the_same_mesh(visit: Go) -> None:
    """P3: by the extension that exists for this, which never restores the context by itself."""
    seen = visit(viewport={"width": 500, "height": 500}).ready()
    seen.give(EXAMPLES / "mug.png", **SMALL)
    seen.until_shown()
    before = picture_of(seen)
    for _ in range(2):
        first = seen.mark("geco-mesh")
        seen.until(lambda: seen.page.evaluate(LOSE), "a canvas to lose")
        seen.until(lambda: "graphics card" in seen.text("#news"))
        seen.until(lambda first=first: seen.mark("geco-mesh") != first, "a new view")
        seen.until(lambda: colours(picture_of(seen)) > 100, "drawn again")
    assert colours(before) > 100 and seen.state == "result"
    seen.page.locator("#again").click()
    first = seen.mark("geco-mesh")
    seen.until(lambda: seen.mark("geco-mesh") != first)
    assert not seen.page.locator("#trouble").is_visible()


LOSE = """(() => {
    const viewer = document.querySelector("model-viewer");
    for (let kind = viewer; kind; kind = Object.getPrototypeOf(kind)) {
        const symbol = Object.getOwnPropertySymbols(kind).find((each) => each.description === "renderer");
        if (!symbol) continue;
        const gl = viewer[symbol].threeRenderer.getContext();
        gl.getExtension("WEBGL_lose_context").loseContext();
        return gl.isContextLost();
    }
    return false;
})()"""


def picture_of(seen: Visit) -> bytes:
    """The viewer's frame as PNG."""
    shot: bytes = seen.page.locator("#viewer").screenshot()
    return shot


def colours(png: bytes) -> int:
    """Different ones; an empty frame has a handful."""
    import io

    from PIL import Image

    found = Image.open(io.BytesIO(png)).convert("RGB").getcolors(1 << 24)
    return len(found or [])


def test_without_webgl_a_still_picture_turns(visit: Go, launch: Callable[..., Any]) -> None:
    blind = launch(*NO_GPU)
    try:
        seen = visit(own=blind).ready()
        seen.give(EXAMPLES / "mug.png", **SMALL)
        seen.until_state("result")
        seen.until(lambda: "no WebGL" in seen.text("#viewer .turn"))
        assert not [url for url in seen.asked if "model-viewer" in url], "the megabyte is not fetched"
        assert colours(picture_of(seen)) > 100
        first = picture_of(seen)
        seen.page.locator(".turner").focus()
        for _ in range(3):
            seen.page.keyboard.press("ArrowRight")
        assert picture_of(seen) != first
        seen.page.wait_for_selector("#downloads a")
    finally:
        seen.page.context.close()
        blind.close()


def test_two_fingers_enlarge_the_mesh_one_turns_it_and_one_scrolls_past_it(visit: Go) -> None:
    seen = visit(viewport={"width": 360, "height": 640}, has_touch=True, is_mobile=True).ready()
    seen.give(EXAMPLES / "mug.png", **SMALL)
    seen.until_shown()
    seen.page.evaluate("document.getElementById('viewer').scrollIntoView({ block: 'center' })")
    box = seen.page.locator("#viewer").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    session = seen.page.context.new_cdp_session(seen.page)

    field = "document.querySelector('model-viewer').getFieldOfView()"
    before = seen.page.evaluate(field)
    fingers(session, [[(x - 20 - 12 * step, y), (x + 20 + 12 * step, y)] for step in range(8)])
    seen.until(lambda: seen.page.evaluate(field) < 0.8 * before, "nearer")

    angle = "document.querySelector('model-viewer').getCameraOrbit().theta"
    before, top = seen.page.evaluate(angle), seen.page.evaluate("scrollY")
    fingers(session, [[(x - 10 * step, y)] for step in range(8)])
    seen.until(lambda: abs(seen.page.evaluate(angle) - before) > 0.2, "turned")
    assert seen.page.evaluate("scrollY") == top

    fingers(session, [[(x, y - 15 * step)] for step in range(12)])
    seen.until(lambda: seen.page.evaluate("scrollY") > top + 50, "scrolled")


def fingers(session: Any, path: list[list[tuple[float, float]]]) -> None:
    """On the screen, from place to place, then off it."""
    for number, places in enumerate(path):
        touches = [{"x": x, "y": y, "id": finger} for finger, (x, y) in enumerate(places)]
        kind = "touchMove" if number else "touchStart"
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})
        time.sleep(0.04)
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
