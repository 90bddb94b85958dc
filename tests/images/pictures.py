"""Synthetic pictures whose right cut-out is known."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from geco.types import Floats


def scene(width: int = 48, height: int = 32) -> Image.Image:
    """Smooth colours, different at every corner."""
    v, u = np.indices((height, width), np.float32)
    rgb = np.stack([u / width, v / height, 0.5 + 0.4 * np.sin(u / 9)], axis=2)
    return Image.fromarray((rgb * 255).astype(np.uint8))


def file_of(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    """The bytes of a file; HEIF by pillow-heif."""
    if format == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    if format == "MPO":
        options = {"save_all": True, "append_images": [image.copy()], **options}
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def disc(size: int, radius: float, x: float = 0.5, y: float = 0.5) -> Floats:
    """(size, size) coverage of a disc, anti-aliased over a pixel; lengths in units of the side."""
    v, u = (np.indices((size, size), np.float32) + 0.5) / size
    return ((radius - np.hypot(u - x, v - y)) * size + 0.5).clip(0, 1)


def ring(size: int, outer: float = 0.32, inner: float = 0.17) -> Floats:
    return disc(size, outer) - disc(size, inner)


def bar_stool(size: int) -> Floats:
    """A seat on four legs: gaps that are open to the outside, and an enclosed one below the rung."""
    image = np.zeros((size, size), np.float32)
    for left, top, right, bottom in (
        (20, 25, 80, 33),
        (24, 30, 30, 85),
        (70, 30, 76, 85),
        (24, 60, 76, 64),
        (46, 30, 52, 64),
    ):
        scale = size / 100
        image[int(top * scale) : int(bottom * scale), int(left * scale) : int(right * scale)] = 1
    return image


def backdrop(
    size: int, color: tuple[float, float, float], kind: str, generator: np.random.Generator
) -> Floats:
    """(size, size, 3): flat, gradient, vignette, or a wall and a floor with a soft horizon; with
    a little noise.
    """
    v, u = np.indices((size, size), np.float32) / size
    field = {
        "flat": np.ones_like(u),
        "gradient": 0.85 + 0.2 * u - 0.1 * v,
        "vignette": 1.05 - 0.5 * ((u - 0.5) ** 2 + (v - 0.5) ** 2),
        "horizon": 0.85 + 0.15 / (1 + np.exp(-(v - 0.75) * 40)),
    }[kind]
    image = np.asarray(color, np.float32) * field[..., None]
    return (image + generator.normal(0, 0.004, image.shape)).clip(0, 1).astype(np.float32)


def textured(size: int, generator: np.random.Generator) -> Floats:
    """(size, size, 3) in [0, 1]: stripes of strong colours, shaded."""
    v, u = np.indices((size, size), np.float32) / size
    wave = 0.5 + 0.5 * np.sin(40 * (u + 0.6 * v) + generator.uniform(0, 6))
    a, b = np.array([0.75, 0.15, 0.1]), np.array([0.12, 0.25, 0.6])
    return (
        ((a * wave[..., None] + b * (1 - wave[..., None])) * (0.7 + 0.4 * v[..., None]))
        .clip(0, 1)
        .astype(np.float32)
    )


def over(alpha: Floats, front: Floats, back: Floats) -> Floats:
    return (alpha[..., None] * front + (1 - alpha[..., None]) * back).astype(np.float32)


def opaque(rgb: Floats) -> Floats:
    return np.concatenate([rgb, np.ones_like(rgb[..., :1])], axis=2)


def iou(alpha: Floats, truth: Floats) -> float:
    a, b = alpha > 0.5, truth > 0.5
    return float((a & b).sum() / (a | b).sum())


def clutter(size: int, generator: np.random.Generator) -> Floats:
    """(size, size, 3): a wall of pale blotches above a brown, streaked table: no plain background."""
    coarse = generator.uniform(0.7, 0.95, (10, 10, 1)).astype(np.float32) * np.array(
        [0.9, 1.0, 0.8], np.float32
    )
    wall = (
        np.asarray(
            Image.fromarray((coarse * 255).astype(np.uint8)).resize((size, size), Image.Resampling.BICUBIC)
        )
        / 255
    )
    streaks = 0.45 + 0.2 * np.sin(np.arange(size) / size * 90)[None, :, None] * np.ones((size, 1, 1))
    table = streaks * np.array([0.9, 0.75, 0.3])
    v = np.arange(size)[:, None, None] / size
    return np.where(v > 0.62, table, wall).astype(np.float32)


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size, with next to no data."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"\0" * 64))
        + chunk(b"IEND", b"")
    )


CASES = Path(__file__).parent.parent / "cases" / "hostile"


def object_picture(side: int, seed: int = 0) -> Image.Image:
    generator = np.random.default_rng(seed)
    v, u = (np.indices((side, side)) + 0.5) / side
    mask = (np.hypot(u - 0.5, (v - 0.5) * 1.3) < 0.3).astype(np.float32)
    rgb = over(mask, textured(side, generator), np.ones((side, side, 3), np.float32))
    return Image.fromarray(np.dstack([rgb * 255, mask * 255]).astype(np.uint8))
