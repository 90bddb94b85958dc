"""Pictures whose right cut-out is known: rendered objects over plain, lit, textured, cluttered backgrounds.

The object's render gives the truth (its coverage); background, shadow, noise, blur and JPEG are drawn by a
seed.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from geco.cameras import orbit_poses
from geco.data.grid_views import random_light
from geco.data.objects import Limits, find_objects
from geco.data.render import frame_to_fill, render_views
from geco.errors import GecoError
from geco.images import to_bytes
from geco.types import Floats

Random = np.random.Generator

# kind: how often it is drawn, in parts. Photos of objects are mostly plain; the rest is there to fail.
KINDS = {
    "white": 4,
    "pale": 2,
    "colour": 3,
    "gradient": 3,
    "floor": 3,
    "similar": 2,
    "texture": 3,
    "clutter": 3,
    "photo": 2,
}
PLAIN = ("white", "pale", "colour", "gradient", "floor", "similar")


@dataclass
class Scene:
    """Attributes:
    file: the bytes of a PNG or JPEG.
    truth: (H, W) float32 coverage of the object in [0, 1].
    kind: of the background, one of :data:`KINDS`.
    name: which object, which view.
    """

    file: bytes
    truth: Floats
    kind: str
    name: str


def scenes(objects: Path, count: int, seed: int = 0, photos: Sequence[Path] = ()) -> Iterator[Scene]:
    """``count`` scenes, each by (seed, number) only; without ``photos`` a "photo" is drawn as clutter."""
    sources = find_objects(objects)
    kinds = [kind for kind, parts in KINDS.items() for _ in range(parts)]
    number = made = 0
    while made < count and number < 20 * count:
        rng = np.random.default_rng([seed, number])
        number += 1
        source = sources[int(rng.integers(len(sources)))]
        try:
            render = draw(source, rng)
        except GecoError:
            continue
        if render is None:
            continue
        kind = str(rng.choice(kinds))
        yield compose(render, kind, rng, photos, source.key)
        made += 1


def draw(source: object, rng: Random) -> Floats | None:
    """(384, 384, 4) float32, the object from a random side under a random light; None if hardly seen."""
    obj = source.load(Limits(allow_untextured=True))  # type: ignore[attr-defined]
    pose = orbit_poses(rng.uniform(0, 360, 1), rng.uniform(-5, 35, 1), np.array([3.5]))
    lens = frame_to_fill(obj, pose, 0.95)
    rgba = render_views(obj, pose, lens, 384, random_light(rng)).rgba[0].astype(np.float32) / np.float32(255)
    return rgba if rgba[..., 3].mean() > 0.03 else None


def compose(render: Floats, kind: str, rng: Random, photos: Sequence[Path], name: str) -> Scene:
    """The object somewhere on a background of that kind, with its shadow, as a camera may save it."""
    height, width = (int(side) for side in rng.integers(320, 680, 2))
    if kind == "pale":
        render = render.copy()
        render[..., :3] = 1 - (1 - render[..., :3]) * rng.uniform(0.06, 0.3)
    front = _placed(render, height, width, rng)
    truth = front[..., 3]
    back = background(kind, height, width, front, rng, photos)
    if kind not in ("texture", "clutter", "photo") and rng.random() < 0.5:
        back = back * _shadow(truth, rng)[..., None]
    rgb = front[..., :3] * truth[..., None] + back * (1 - truth[..., None])
    return Scene(_saved(rgb, rng), truth, kind, name)


def _placed(render: Floats, height: int, width: int, rng: Random) -> Floats:
    """(H, W, 4): the render scaled to a part of the frame; one in eight is cut off by the frame."""
    part = rng.uniform(0.25, 0.95)
    side = max(round(min(height, width) * part), 24)
    image = Image.fromarray(to_bytes(render))
    image = image.resize((side, side), Image.Resampling.BICUBIC)
    slack_x, slack_y = width - side, height - side
    if rng.random() < 0.125:
        left = int(rng.integers(-side // 3, width - 2 * side // 3))
        top = int(rng.integers(-side // 3, height - 2 * side // 3))
    else:
        left, top = (int(slack * rng.beta(3, 3)) for slack in (slack_x, slack_y))
    canvas = Image.new("RGBA", (width, height))
    canvas.paste(image, (left, top))
    return np.asarray(canvas, np.float32) / np.float32(255)


def background(
    kind: str,
    height: int,
    width: int,
    front: Floats,
    rng: Random,
    photos: Sequence[Path],
) -> Floats:
    """(H, W, 3) float32 in [0, 1]."""
    v, u = np.meshgrid(np.linspace(0, 1, height), np.linspace(0, 1, width), indexing="ij")
    color = rng.uniform(0.02, 1, 3) if rng.random() < 0.6 else np.full(3, rng.uniform(0.05, 0.98))
    if kind in ("white", "pale"):
        return np.full((height, width, 3), 1.0 if rng.random() < 0.6 else rng.uniform(0.94, 1), np.float32)
    if kind == "similar":
        seen = front[..., 3] > 0.9
        color = front[seen][:, :3].mean(axis=0) if seen.any() else color
        color = (color + rng.normal(0, 0.08, 3)).clip(0, 1)
    if kind in ("colour", "similar"):
        field = np.ones_like(u)
    elif kind == "floor":
        horizon, sharp = rng.uniform(0.55, 0.85), rng.uniform(8, 60)
        field = 1 - rng.uniform(0.05, 0.3) / (1 + np.exp(-(v - horizon) * sharp)) * rng.choice([-1, 1])
        field = field - rng.uniform(0, 0.15) * (u - 0.5)
    else:
        angle = rng.uniform(0, 2 * np.pi)
        field = 1 - rng.uniform(0, 0.35) * ((u - 0.5) * np.cos(angle) + (v - 0.5) * np.sin(angle) + 0.5)
        x, y = rng.uniform(0.3, 0.7, 2)
        field = field - rng.uniform(0, 0.5) * ((u - x) ** 2 + (v - y) ** 2)
    plain = np.asarray(color)[None, None] * field[..., None]
    if kind in PLAIN:
        return plain.clip(0, 1).astype(np.float32)
    if kind == "photo" and photos:
        return _photo(photos, height, width, rng)
    rough = plain + _octaves(height, width, rng) * rng.uniform(0.1, 0.5)
    return (rough if kind == "texture" else _things(rough, rng)).clip(0, 1).astype(np.float32)


def _octaves(height: int, width: int, rng: Random) -> Floats:
    """(H, W, 3) noise about 0: blotches, streaks or grain."""
    total = np.zeros((height, width, 3), np.float32)
    colored = rng.random() < 0.4
    stretch = rng.choice([1, 1, 8])
    for cells in (4, 11, 29, 73):
        shape = (cells, max(cells // int(stretch), 1), 3 if colored else 1)
        coarse = (rng.uniform(-0.5, 0.5, shape) * np.ones(3)).astype(np.float32)
        weight = rng.uniform(0, 1) ** 2
        channels = np.moveaxis(coarse, 2, 0).copy()
        planes = [Image.fromarray(plane).resize((width, height), 3) for plane in channels]
        total += weight * np.stack([np.asarray(plane) for plane in planes], axis=-1)
    return total


def _things(back: Floats, rng: Random) -> Floats:
    """Boxes and discs of many colours, some out of focus, on the background."""
    height, width = back.shape[:2]
    v, u = np.indices((height, width))
    for _ in range(int(rng.integers(3, 14))):
        y, x, r = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(0.05, 0.3) * min(height, width)
        box = (np.abs(u - x) < r * rng.uniform(0.3, 2)) & (np.abs(v - y) < r)
        inside = np.hypot(u - x, v - y) < r if rng.random() < 0.5 else box
        back = np.where(inside[..., None], rng.uniform(0, 1, 3) + 0.2 * _octaves(height, width, rng), back)
    image = Image.fromarray(to_bytes(back))
    return _blurred(image, float(rng.choice([0, 1, 6])))


def _photo(photos: Sequence[Path], height: int, width: int, rng: Random) -> Floats:
    """A piece of a photo, so large that it looks like surroundings."""
    with Image.open(photos[int(rng.integers(len(photos)))]) as opened:
        image = opened.convert("RGB")
    scale = rng.uniform(0.4, 0.9)
    wide, high = int(image.width * scale), int(image.height * scale)
    left, top = int(rng.integers(image.width - wide + 1)), int(rng.integers(image.height - high + 1))
    piece = image.crop((left, top, left + wide, top + high)).resize((width, height), Image.Resampling.BICUBIC)
    return _blurred(piece, float(rng.choice([0, 2])))


def _blurred(image: Image.Image, deviation: float) -> Floats:
    return np.asarray(image.filter(ImageFilter.GaussianBlur(deviation)), np.float32) / np.float32(255)


def _shadow(truth: Floats, rng: Random) -> Floats:
    """(H, W) factors: the object's silhouette, squashed to the ground under it and blurred."""
    height, width = truth.shape
    rows, columns = np.flatnonzero((truth > 0.5).any(axis=1)), np.flatnonzero((truth > 0.5).any(axis=0))
    if len(rows) < 8 or len(columns) < 8:
        return np.ones_like(truth)
    tall = max(int((rows[-1] - rows[0]) * rng.uniform(0.08, 0.3)), 3)
    piece = Image.fromarray((truth[rows[0] : rows[-1] + 1] * 255).astype(np.uint8)).resize((width, tall))
    canvas = Image.new("L", (width, height))
    canvas.paste(piece, (int(rng.integers(-tall // 2, tall // 2 + 1)), int(rows[-1] - tall * 0.6)))
    soft = canvas.filter(ImageFilter.GaussianBlur(max(tall / rng.uniform(2.5, 6), 2)))
    return (1 - rng.uniform(0.15, 0.6) * np.asarray(soft, np.float32) / 255).astype(np.float32)


def _saved(rgb: Floats, rng: Random) -> bytes:
    """Blur, sensor noise, then PNG or JPEG."""
    image = Image.fromarray(to_bytes(rgb))
    image = image.filter(ImageFilter.GaussianBlur(float(rng.choice([0, 0, 0.7, 1.2]))))
    deviation = float(rng.choice([0, 0, 0.004, 0.012]))
    noisy = np.asarray(image, np.float32) / 255 + rng.normal(0, deviation, rgb.shape)
    image = Image.fromarray(to_bytes(noisy))
    buffer = io.BytesIO()
    if rng.random() < 0.4:
        image.save(buffer, "PNG")
    else:
        image.save(buffer, "JPEG", quality=int(rng.integers(70, 96)))
    return buffer.getvalue()
