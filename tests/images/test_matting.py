"""Cutting out: known silhouettes on plain, lit, shadowed and real backgrounds."""

from __future__ import annotations

import importlib.util
import io
import time

import numpy as np
import pytest
from PIL import Image

from geco.errors import ConfigError, InputImageError, MissingExtraError
from geco.images import METHODS, cut_out, load_picture
from tests.images.pictures import backdrop, bar_stool, clutter, disc, iou, opaque, over, ring, textured

SIZE = 300


def random() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.mark.parametrize("kind", ["flat", "gradient", "vignette", "horizon"])
@pytest.mark.parametrize("color", [(1, 1, 1), (0.5, 0.5, 0.5), (0.2, 0.5, 0.3), (0.04, 0.04, 0.05)])
@pytest.mark.parametrize("shape", [ring, bar_stool])
def test_plain_backgrounds(kind: str, color: tuple[float, float, float], shape: object) -> None:
    truth = shape(SIZE)
    rgb = over(truth, textured(SIZE, random()), backdrop(SIZE, color, kind, random()))
    cut = cut_out(opaque(rgb))
    assert cut.method == "plain" and cut.confidence > 0.6 and cut.doubt is None
    # the hole of the ring and the closed gap of the stool included
    assert iou(cut.rgba[..., 3], truth) > 0.95
    assert np.abs(cut.rgba[..., 3] - truth).mean() < 0.012


@pytest.mark.parametrize("depth,least", [(0.2, 0.98), (0.3, 0.97), (0.4, 0.94)])
def test_jpeg_and_a_soft_shadow(depth: float, least: float) -> None:
    truth = disc(SIZE, 0.25, y=0.45)
    v, u = (np.indices((SIZE, SIZE)) + 0.5) / SIZE
    shadow = 1 - depth * np.exp(-(((u - 0.58) / 0.22) ** 2) - ((v - 0.73) / 0.06) ** 2)
    rgb = over(
        truth,
        textured(SIZE, random()),
        backdrop(SIZE, (0.95, 0.95, 0.95), "flat", random()) * shadow[..., None],
    )
    buffer = io.BytesIO()
    Image.fromarray((rgb * 255).astype(np.uint8)).save(buffer, "JPEG", quality=75)
    cut = cut_out(load_picture(buffer.getvalue()))
    assert cut.method == "plain" and iou(cut.rgba[..., 3], truth) > least


def test_a_white_object_on_white_is_not_eaten() -> None:
    v, u = (np.indices((SIZE, SIZE)) + 0.5) / SIZE
    truth = disc(SIZE, 0.3)
    depth = np.sqrt(np.maximum(0, 0.09 - (u - 0.5) ** 2 - (v - 0.5) ** 2)) / 0.3
    shading = 0.72 + 0.27 * depth  # a ball: white in its middle, grey at its rim
    rgb = over(truth, np.repeat(shading[..., None], 3, axis=2), np.ones((SIZE, SIZE, 3)))
    cut = cut_out(opaque(rgb))
    assert cut.method == "plain" and iou(cut.rgba[..., 3], truth) > 0.95


def test_small_pale_marks_are_no_holes() -> None:
    truth = disc(SIZE, 0.3)
    marks = sum(disc(SIZE, 0.01, x, 0.5) for x in (0.4, 0.5, 0.6))
    white = np.ones((SIZE, SIZE, 3), np.float32)
    cut = cut_out(opaque(over(truth, over(marks, white, textured(SIZE, random())), white)))
    assert iou(cut.rgba[..., 3], truth) > 0.98


def test_the_object_may_touch_the_frame() -> None:
    truth = disc(SIZE, 0.45, x=0.75, y=0.7)
    cut = cut_out(
        opaque(over(truth, textured(SIZE, random()), backdrop(SIZE, (0.8, 0.85, 0.9), "gradient", random())))
    )
    assert cut.method == "plain" and iou(cut.rgba[..., 3], truth) > 0.96


def test_edges_are_soft_and_free_of_the_background() -> None:
    truth = disc(SIZE, 0.3)
    red = np.broadcast_to(np.array([0.8, 0.1, 0.1], np.float32), (SIZE, SIZE, 3))
    cut = cut_out(opaque(over(truth, red, np.broadcast_to(np.array([0.1, 0.9, 0.2], np.float32), red.shape))))
    edge = (truth > 0.3) & (truth < 0.95)
    assert edge.sum() > 100
    assert np.abs(cut.rgba[..., 3] - truth)[edge].mean() < 0.08
    assert np.abs(cut.rgba[..., :3] - red)[edge].max() < 0.12


def test_large_pictures_are_cut_at_full_size() -> None:
    truth = ring(900)
    cut = cut_out(
        opaque(over(truth, textured(900, random()), backdrop(900, (0.9, 0.9, 0.9), "gradient", random())))
    )
    assert cut.rgba.shape == (900, 900, 4) and iou(cut.rgba[..., 3], truth) > 0.98
    assert np.abs(cut.rgba[..., 3] - truth).mean() < 0.006


def test_alpha_is_taken_as_it_is() -> None:
    alpha = disc(64, 0.3) * 0.7
    rgba = np.dstack([textured(64, random()), alpha]).astype(np.float32)
    for method in ("auto", "alpha"):
        cut = cut_out(load_picture(rgba), method)
        assert cut.method == "alpha"
        np.testing.assert_allclose(cut.rgba, rgba, atol=1e-6)


def test_none_keeps_the_whole_picture() -> None:
    cut = cut_out(opaque(textured(64, random())), "none")
    assert cut.method == "none" and cut.rgba[..., 3].min() == 1


@pytest.mark.parametrize("method", ["builtin", "grabcut"])
def test_real_backgrounds(method: str) -> None:
    if method == "grabcut":
        pytest.importorskip("cv2")
    truth = disc(SIZE, 0.27, x=0.48, y=0.52)
    cut = cut_out(opaque(over(truth, textured(SIZE, random()), clutter(SIZE, random()))), method)
    assert cut.method == method and iou(cut.rgba[..., 3], truth) > 0.93


def test_auto_sees_that_a_background_is_not_plain() -> None:
    truth = disc(SIZE, 0.27)
    cut = cut_out(opaque(over(truth, textured(SIZE, random()), clutter(SIZE, random()))))
    assert cut.method in ("rembg", "grabcut", "builtin") and iou(cut.rgba[..., 3], truth) > 0.9


def test_the_builtin_cut_repeats_itself() -> None:
    picture = opaque(over(disc(SIZE, 0.3), textured(SIZE, random()), clutter(SIZE, random())))
    np.testing.assert_array_equal(cut_out(picture, "builtin").rgba, cut_out(picture, "builtin").rgba)


def test_methods_that_cannot_work_say_so() -> None:
    picture = opaque(textured(64, random()))
    with pytest.raises(InputImageError, match="no transparency"):
        cut_out(picture, "alpha")
    with pytest.raises(ConfigError, match="builtin"):
        cut_out(picture, "magic")
    for method, module in (("rembg", "rembg"), ("grabcut", "cv2")):
        if importlib.util.find_spec(module) is None:
            with pytest.raises(MissingExtraError, match="matting"):
                cut_out(picture, method)
    assert set(METHODS) == {"auto", "alpha", "plain", "builtin", "grabcut", "rembg", "none"}


def test_a_plain_background_alone_is_no_object() -> None:
    empty = opaque(backdrop(200, (0.7, 0.7, 0.8), "gradient", random()))
    with pytest.raises(InputImageError, match="no object"):
        cut_out(empty, "plain")


@pytest.mark.parametrize("shape", [(16, 16), (16, 200), (33, 47), (200, 17)])
@pytest.mark.parametrize("method", ["plain", "builtin"])
def test_odd_and_tiny_sizes(shape: tuple[int, int], method: str) -> None:
    height, width = shape
    rgb = np.full((height, width, 3), 0.9, np.float32)
    rgb[height // 4 : -height // 4, width // 4 : -width // 4] = (0.8, 0.1, 0.1)
    cut = cut_out(opaque(rgb), method)
    assert cut.rgba.shape == (height, width, 4) and np.isfinite(cut.rgba).all()
    assert cut.rgba[height // 2, width // 2, 3] == 1 and cut.rgba[0, 0, 3] == 0


def test_time() -> None:
    picture = load_picture(
        opaque(over(ring(512), textured(512, random()), backdrop(512, (0.9, 0.9, 0.9), "gradient", random())))
    )
    # ten times what it takes alone on one core: a guard, not a benchmark
    for method, limit in (("plain", 0.25), ("builtin", 1.0)):
        cut_out(picture, method)
        started = time.process_time()
        cut_out(picture, method)
        assert time.process_time() - started < limit
