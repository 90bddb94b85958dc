"""The embedded model keeps the outlines of thin things: whole, in one piece, the picture laid on."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from geco.asset import Asset
from geco.batches import finishing
from geco.graph import connected_components
from geco.mesh.clean import merge_close
from geco.mesh.components import component_labels
from geco.photo.input_camera import InputCamera, silhouette
from geco.pipeline import GecoPipeline
from geco.surface_to_asset import REFINED_FACES, AssetOptions

EXAMPLES = Path(__file__).parents[2] / "examples"
SIZE = 512
INK = (150, 80, 40, 255)


@cache
def model() -> GecoPipeline:
    return GecoPipeline.from_pretrained("small")


def drawn(kind: str) -> np.ndarray:
    """(SIZE, SIZE, 4) uint8 a thin thing."""
    image = Image.new("RGBA", (SIZE, SIZE), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    if kind == "sword":
        draw.line([(256, 40), (256, 400)], INK, 12)
        draw.line([(180, 400), (332, 400)], INK, 12)
        draw.line([(256, 400), (256, 470)], INK, 16)
    elif kind == "chair":
        draw.rectangle([140, 250, 372, 275], INK)
        for x in (146, 366):
            draw.line([(x, 60), (x, 470)], INK, 11)
        for y in (70, 130, 190, 400):
            draw.line([(146, y), (366, y)], INK, 9)
    elif kind == "ring":
        draw.ellipse([66, 66, 446, 446], outline=INK, width=10)
    else:  # a flamingo: a body on one leg
        draw.ellipse([170, 130, 350, 250], fill=INK)
        draw.line([(262, 240), (262, 480)], INK, 8)
        draw.line([(180, 190), (130, 120), (150, 50), (110, 60)], INK, 14, joint="curve")
    return np.asarray(image)


def outlines(asset: Asset) -> tuple[np.ndarray, np.ndarray]:
    """The picture's and the mesh's, seen by the camera that the facts name."""
    found = asset.facts["input_camera"]
    numbers = {name: found[name] for name in ("elevation", "azimuth", "scale", "fov", "radius")}
    camera = InputCamera(**numbers, offset=tuple(found["offset"]))
    wanted = silhouette(asset.picture[..., 3])
    return wanted, camera.rasterize(asset.mesh, len(wanted)).mask


def iou(one: np.ndarray, two: np.ndarray) -> float:
    return float((one & two).sum() / (one | two).sum())


def holes(mask: np.ndarray) -> int:
    """Pieces of the background that do not reach the frame, above 20 pixels."""
    clear = np.pad(~mask, 1, constant_values=True)
    number = np.arange(clear.size).reshape(clear.shape)
    down, right = clear[:-1] & clear[1:], clear[:, :-1] & clear[:, 1:]
    a = np.concatenate([number[:-1][down], number[:, :-1][right]])
    b = np.concatenate([number[1:][down], number[:, 1:][right]])
    sizes = np.bincount(connected_components(clear.size, a, b)[clear.reshape(-1)])
    return int((sizes > 20).sum()) - 1


@pytest.mark.parametrize(("kind", "empty"), [("sword", 0), ("chair", 4), ("ring", 1), ("flamingo", 0)])
def test_a_thin_thing_stays_whole(kind: str, empty: int) -> None:
    asset = model()(drawn(kind))
    wanted, seen = outlines(asset)
    assert iou(wanted, seen) > 0.85, asset.facts
    assert asset.facts["projected"]
    assert holes(wanted) == empty and holes(seen) == empty
    label = component_labels(merge_close(asset.mesh, 0))
    assert np.bincount(label).max() > 0.9 * len(label)  # what hangs together in the picture does here
    assert len(asset.mesh.faces) <= REFINED_FACES


@pytest.mark.parametrize("name", ["bull", "bus", "dinosaur", "pitcher"])
def test_an_example_keeps_its_outline(name: str) -> None:
    asset = model()(EXAMPLES / f"{name}.png")
    assert iou(*outlines(asset)) > 0.95 and asset.facts["projected"]


def test_a_grid_that_is_asked_for_is_the_one_that_is_taken() -> None:
    picture = drawn("chair")
    plain, finer = (model()(picture, options=AssetOptions(resolution=n)) for n in (None, 64))
    assert len(finer.mesh.faces) < len(plain.mesh.faces)
    assert iou(*outlines(finer)) < iou(*outlines(plain))


def test_no_finer_grid_than_memory_has_room_for() -> None:
    picture = drawn("chair")
    seen = model().see(picture)
    views = next(model().views(seen, [0]))
    bounded = GecoPipeline(model().backend, max_memory=2 * finishing(512, 80))
    free, tight = model().finish(views, seen), bounded.finish(views, seen)
    assert len(tight.mesh.faces) < len(free.mesh.faces)
    assert iou(*outlines(tight)) < iou(*outlines(free))


def test_a_finer_grid_near_a_known_one_is_the_finer_grid() -> None:
    """Only its surface is asked for again, and that says the same."""
    seen = model().see(EXAMPLES / "bull.png")
    views = next(model().views(seen, [0]))
    fields = model().backend.reconstruct(views.drawn, seen.read)
    whole, near = fields.dense(96), fields.dense(96, near=fields.dense(64))  # type: ignore[attr-defined]
    assert iou(whole < 0, near < 0) > 0.99
    both = (np.abs(whole) < 0.01) & (np.abs(near) < 0.01)
    assert np.median(np.abs(whole - near)[both]) < 1e-4
