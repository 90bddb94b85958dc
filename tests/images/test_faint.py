"""White on white: objects that differ from their background by a few levels, and shadows that are none."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from geco.errors import InputImageError
from geco.images import cut_out, load_picture
from geco.types import Floats
from tests.cases import BUGS
from tests.images.pictures import backdrop, bar_stool, disc, iou, over, ring, textured

SIZE = 300
FEW = settings(max_examples=15, deadline=None, derandomize=True)


def saved(rgb: Floats, quality: int) -> bytes:
    """As a PNG for quality 0, else as a JPEG."""
    buffer = io.BytesIO()
    image = Image.fromarray(np.rint(rgb * 255).astype(np.uint8))
    image.save(buffer, **({"format": "JPEG", "quality": quality} if quality else {"format": "PNG"}))
    return buffer.getvalue()


@FEW
@given(
    st.sampled_from([disc(SIZE, 0.3), ring(SIZE, 0.36, 0.2), bar_stool(SIZE), disc(SIZE, 0.15, 0.3, 0.6)]),
    st.integers(4, 9),
    st.sampled_from([255, 250, 238]),
    st.sampled_from([0, 75, 92]),
)
def test_what_differs_by_a_few_levels_is_found(truth: Floats, levels: int, white: int, quality: int) -> None:
    v = np.linspace(0, 1, SIZE)[:, None, None]
    front = (white - levels * (1 + v)) / 255 * np.ones((SIZE, SIZE, 3))
    rgb = over(truth, front, np.full((SIZE, SIZE, 3), white / 255))
    cut = cut_out(load_picture(saved(rgb, quality)))
    assert cut.method == "plain" and iou(cut.rgba[..., 3], truth) > 0.85


@pytest.mark.parametrize("quality", [0, 80, 95])
def test_the_reported_mug_is_cut_out_whole(quality: int) -> None:
    rgb = np.asarray(Image.open(BUGS / "cutout" / "white_mug_on_white.png").convert("RGB"), np.float32) / 255
    truth = (rgb.min(axis=2) < 1).astype(np.float32)
    cut = cut_out(load_picture(saved(rgb, quality)))
    assert cut.method == "plain" and iou(cut.rgba[..., 3], truth) > 0.9


@FEW
@given(st.floats(0.03, 0.35), st.floats(0.05, 0.15), st.booleans())
def test_a_soft_shadow_is_still_no_part_of_the_object(depth: float, soft: float, noisy: bool) -> None:
    truth = disc(SIZE, 0.22, y=0.42)
    v, u = (np.indices((SIZE, SIZE)) + 0.5) / SIZE
    shadow = 1 - depth * np.exp(-(((u - 0.55) / 0.3) ** 2) - ((v - 0.68) / soft) ** 2)
    rng = np.random.default_rng(4)
    back = backdrop(SIZE, (0.95, 0.95, 0.95), "flat", rng) if noisy else np.full((SIZE, SIZE, 3), 0.95)
    cut = cut_out(load_picture(saved(over(truth, textured(SIZE, rng), back * shadow[..., None]), 0)))
    assert iou(cut.rgba[..., 3], truth) > 0.93


@pytest.mark.parametrize("kind", ["flat", "gradient", "vignette", "horizon"])
def test_light_and_noise_alone_are_no_faint_object(kind: str) -> None:
    for seed in range(4):
        rng = np.random.default_rng(seed)
        rgb = backdrop(SIZE, (0.9, 0.9, 0.92), kind, rng)
        if seed % 2:
            rgb = np.rint(rgb.mean(axis=(0, 2), keepdims=True) * np.ones_like(rgb) * 255) / 255
            rgb = rgb.astype(np.float32) * np.linspace(0.97, 1, SIZE, dtype=np.float32)[:, None, None]
        with pytest.raises(InputImageError, match="no object"):
            cut_out(load_picture(saved(rgb, 90)), "plain")
