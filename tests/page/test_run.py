"""From a picture to meshes to choose from and to take home."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.page.browser import EXAMPLES, Visit

Go = Callable[..., Visit]


def test_views_come_first_then_meshes_of_which_the_best_stands_first_and_is_shown(visit: Go) -> None:
    seen = visit().ready()
    began = seen.page.evaluate("performance.now()")
    seen.give(EXAMPLES / "mug.png", texture_size=256)
    seen.until(lambda: seen.mark("geco-views"), "views")
    seen.until_state("result")
    seen.until_shown()
    views, mesh = seen.mark("geco-views"), seen.mark("geco-mesh")
    assert views is not None and mesh is not None and began < views < mesh
    print(f"seconds from picture to views {(views - began) / 1e3:.2f}, to mesh {(mesh - began) / 1e3:.2f}")
    cards = [card.inner_text() for card in seen.page.locator(".card").all()]
    fits = [float(found) for card in cards for found in re.findall(r"fits ([\d.]+) %", card)]
    assert len(fits) == 4 and fits == sorted(fits, reverse=True)
    assert "best" in cards[0] and not any("best" in card for card in cards[1:])
    best = re.findall(r"seed (\d)", cards[0])[0]
    assert seen.text("#facts-line").startswith(f"seed {best} ·")
    seen.page.locator(".card").nth(3).click()
    other = re.findall(r"seed (\d)", cards[3])[0]
    seen.until(lambda: seen.text("#facts-line").startswith(f"seed {other} ·"))
    assert seen.page.locator("model-viewer").count() == 1, "one viewer, whatever was shown before"


def test_files_are_called_after_the_picture(visit: Go, tmp_path: Path) -> None:
    seen = visit().ready()
    mug = {"name": "my mug.v2.png", "mimeType": "image/png", "buffer": (EXAMPLES / "mug.png").read_bytes()}
    seen.give(mug, samples=1, seed=3, texture_size=64, resolution=24)
    seen.until_state("result")
    magic = {"GLB": ("glb", b"glTF"), "STL": ("stl", b""), "3MF": ("3mf", b"PK"), "OBJ": ("zip", b"PK")}
    for words, (suffix, start) in magic.items():
        with seen.page.expect_download() as waiting:
            seen.page.locator("#downloads").get_by_text(words).click()
        assert waiting.value.suggested_filename == f"my mug.v2.{suffix}"
        waiting.value.save_as(tmp_path / suffix)
        assert (tmp_path / suffix).read_bytes().startswith(start), words


def test_every_choice_of_the_service_is_an_option_of_the_page_and_reaches_it(visit: Go) -> None:
    seen = visit().ready()
    described = seen.page.evaluate(
        "fetch('openapi.json').then((answer) => answer.json()).then(({ paths, components }) => Object.keys("
        "components.schemas[paths['/api/v1/mesh'].post.requestBody.content['multipart/form-data']"
        ".schema.$ref.split('/').pop()].properties))"
    )
    shown = seen.page.evaluate("[...document.getElementById('options').elements].map(({ name }) => name)")
    assert set(described) - set(shown) == {"picture", "format", "model"}, "the model where there are several"
    seen.give(EXAMPLES / "mug.png", samples=1, faces=500, texture_size=64, resolution=24)
    seen.until_state("result")
    (faces,) = re.findall(r"([\d,]+) faces", seen.text("#facts-line"))
    assert int(faces.replace(",", "")) <= 500


def test_the_best_of_several_seeds_is_the_one_that_is_downloaded(visit: Go) -> None:
    seen = visit().ready()
    seen.give(EXAMPLES / "mug.png", samples=2, best_of=2, texture_size=64, resolution=24)
    seen.until_state("result")
    seeds = [
        int(re.findall(r"seed (\d+)", card.inner_text())[0]) for card in seen.page.locator(".card").all()
    ]
    assert [seed // 2 for seed in sorted(seeds)] == [0, 1], "one of 0 and 1, one of 2 and 3"
    seen.page.get_by_role("button", name="2 others").click()
    seen.until_state("working")
    assert seen.page.locator("#option-seed").input_value() == "4"
    seen.until_state("result")
    seen.page.evaluate(
        """window.sent = [];
        window.fetch = ((own) => (path, about) => {
            sent.push([path, Object.fromEntries([...about.body].filter(([, value]) => !value.name))]);
            return own(path, about);
        })(fetch);
        true;"""
    )
    with seen.page.expect_download():
        seen.page.locator("#downloads").get_by_text("PLY").click()
    ((path, fields),) = seen.page.evaluate("sent")
    assert path == "api/v1/mesh" and "best_of" not in fields and fields["texture_size"] == "64"
    assert seen.text("#facts-line").startswith(f"seed {fields['seed']} ")


def test_levels_of_detail_come_beside_the_object_that_is_shown(visit: Go, tmp_path: Path) -> None:
    seen = visit().ready()
    seen.choose(lods="2000,x")
    seen.give(EXAMPLES / "mug.png", samples=1, texture_size=64, resolution=24)
    seen.until_state("error")
    assert "whole numbers with commas" in seen.text("#trouble")
    seen.choose(lods="800,200")
    seen.page.locator("#again").click()
    seen.until_state("result")
    with seen.page.expect_download() as waiting:
        seen.page.locator("#downloads").get_by_text("GLB").click()
    assert waiting.value.suggested_filename == "mug.zip"
    waiting.value.save_as(tmp_path / "mug.zip")
    with zipfile.ZipFile(tmp_path / "mug.zip") as archive:
        assert len([name for name in archive.namelist() if name.endswith(".glb")]) == 2


def test_an_example_a_dropped_and_a_pasted_picture_are_taken(visit: Go) -> None:
    seen = visit().ready()
    seen.choose(samples=1, texture_size=64, resolution=24)
    seen.page.get_by_role("button", name="boot", exact=True).click()
    seen.until_state("result")
    assert "boot.webp" in seen.text("#drop-words")
    for kind in ("drop", "paste"):
        give_by(seen, kind, "mug.png")
        seen.until(lambda: "mug.png" in seen.text("#drop-words"))
        seen.until_state("working")
        seen.until_state("result")
        seen.page.get_by_role("button", name="boot", exact=True).click()
        seen.until(lambda: "boot.webp" in seen.text("#drop-words"))


def give_by(seen: Visit, kind: str, name: str) -> None:
    """Let an event bring a picture, as the browser would make it."""
    data = list((EXAMPLES / name).read_bytes())
    seen.page.evaluate(
        """([kind, data, name]) => {
            const carried = new DataTransfer();
            carried.items.add(new File([new Uint8Array(data)], name, { type: "image/png" }));
            const about = { bubbles: true, cancelable: true };
            document.body.dispatchEvent(kind === "drop"
              ? new DragEvent("drop", { ...about, dataTransfer: carried })
              : new ClipboardEvent("paste", { ...about, clipboardData: carried }));
        }""",
        [kind, data, name],
    )


@pytest.mark.parametrize(("kind", "said"), [("drop", "Save the picture first"), ("paste", "no picture")])
def test_a_dropped_link_and_pasted_text_are_refused_with_a_remedy(visit: Go, kind: str, said: str) -> None:
    seen = visit().ready()
    seen.page.evaluate(
        """(kind) => {
            const carried = new DataTransfer();
            carried.setData("text/plain", "https://example.org/mug.png");
            const about = { bubbles: true, cancelable: true };
            document.body.dispatchEvent(kind === "drop"
              ? new DragEvent("drop", { ...about, dataTransfer: carried })
              : new ClipboardEvent("paste", { ...about, clipboardData: carried }));
        }""",
        kind,
    )
    assert said in seen.text("#trouble")


def test_earlier_results_of_the_session_can_be_shown_again(visit: Go) -> None:
    seen = visit().ready()
    seen.give(EXAMPLES / "mug.png", samples=1, texture_size=64, resolution=24)
    seen.until_state("result")
    assert not seen.page.locator("#history").is_visible()
    seen.give(EXAMPLES / "boot.png")
    seen.until(lambda: seen.state == "result" and "boot" in seen.text("#news"))
    seen.page.locator("#earlier button").click()
    assert "mug.png" in seen.text("#drop-words") and seen.text("#facts-line").startswith("seed 0")
    assert "boot" in seen.text("#earlier")


def test_another_seed_and_a_random_one(visit: Go) -> None:
    seen = visit().ready()
    seen.give(EXAMPLES / "mug.png", samples=1, texture_size=64, resolution=24)
    seen.until_state("result")
    seen.page.get_by_role("button", name="Another seed").click()
    seen.until(lambda: seen.text("#facts-line").startswith("seed 1 "))
    before = seen.page.locator("#option-seed").input_value()
    seen.page.get_by_role("button", name="Random").click()
    assert seen.page.locator("#option-seed").input_value() != before == "1"
