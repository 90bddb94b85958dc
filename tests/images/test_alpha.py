"""What a given transparency means: next to nothing hidden, shadows and glows, true cut-outs beside them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter

from geco.errors import InputImageError
from geco.images import cut_out, load_picture
from geco.images.alpha import cuts_out, opaque, without_faint
from geco.images.filters import dilate
from geco.types import Floats
from tests.cases import BUGS, HOSTILE
from tests.images.pictures import bar_stool, disc, iou, over, ring, textured
from tests.images.pictures import opaque as with_alpha

SIZE = 200
FEW = settings(max_examples=25, deadline=None, derandomize=True)


def layer(draw_on: object, blur: float = 0, size: int = SIZE) -> Floats:
    """(size, size) float32 in [0, 1] of what ``draw_on`` draws, anti-aliased."""
    image = Image.new("L", (4 * size, 4 * size))
    draw_on(ImageDraw.Draw(image))  # type: ignore[operator]
    image = image.resize((size, size), Image.Resampling.BOX).filter(ImageFilter.GaussianBlur(blur))
    return np.asarray(image, np.float32) / np.float32(255)


def blurred(plane: Floats, deviation: float) -> Floats:
    image = Image.fromarray(np.rint(plane * 255).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(deviation)), np.float32) / np.float32(255)


def product_photo() -> tuple[Floats, Floats]:
    """A striped disc before white, and where the disc is."""
    truth = disc(SIZE, 0.28)
    return over(truth, textured(SIZE, np.random.default_rng(3)), np.ones((SIZE, SIZE, 3))), truth


@st.composite
def next_to_nothing(draw: st.DrawFn) -> Floats:
    """An alpha channel of what programs leave behind without cutting anything out."""
    kind = draw(st.sampled_from(["stray", "frame", "corners", "line", "bevel", "row", "even"]))
    alpha = np.ones((SIZE, SIZE), np.float32)
    if kind == "stray":
        rng = np.random.default_rng(draw(st.integers(0, 99)))
        spots = rng.integers(0, SIZE, (draw(st.integers(1, 60)), 2))
        alpha[spots[:, 0], spots[:, 1]] = draw(st.sampled_from([0, 0.3]))
    elif kind == "frame":
        sides = [draw(st.integers(0, 5)) for _ in range(4)]
        alpha = np.zeros_like(alpha)
        alpha[sides[0] : SIZE - sides[1], sides[2] : SIZE - sides[3]] = 1
    elif kind == "corners":
        radius = 4 * draw(st.integers(2, 30))
        alpha = layer(lambda on: on.rounded_rectangle((0, 0, 4 * SIZE - 1, 4 * SIZE - 1), radius, fill=255))
    elif kind == "line":
        a, b = draw(st.integers(0, 4 * SIZE)), draw(st.integers(0, 4 * SIZE))
        width = 4 * draw(st.integers(1, 3))
        alpha = 1 - layer(lambda on: on.line((0, a, 4 * SIZE, b), fill=255, width=width))
    elif kind == "bevel":
        step = 4 * draw(st.integers(2, 20))
        alpha = 1 - layer(lambda on: on.polygon([(0, 0), (step, 0), (0, step)], fill=255))
    elif kind == "row":
        alpha[draw(st.integers(0, SIZE - 1))] = 0
    return alpha * np.float32(draw(st.sampled_from([1, 1, 0.6, 0.4])) if kind == "even" else 1)


@FEW
@given(next_to_nothing(), st.booleans())
def test_alpha_that_hides_next_to_nothing_counts_as_none(alpha: Floats, black_below: bool) -> None:
    rgb, truth = product_photo()
    if black_below:
        rgb = np.where((alpha > 0)[..., None], rgb, 0).astype(np.float32)
    picture = load_picture(np.dstack([rgb, alpha]))
    assert not picture.has_alpha
    cut = cut_out(picture)
    assert cut.method == "plain" and iou(cut.rgba[..., 3], truth) > 0.94


@FEW
@given(
    st.sampled_from(["ellipse", "triangle", "turned box", "ring", "stool", "arch", "hexagon"]),
    st.floats(0.02, 1),
    st.integers(0, 30),
)
def test_a_tight_crop_of_an_object_keeps_its_alpha(shape: str, opacity: float, tilt: int) -> None:
    end = 4 * SIZE - 1
    angle = np.radians(8 + tilt)
    corners = [(np.cos(a), np.sin(a)) for a in angle + np.arange(4) * np.pi / 2]
    reach = max(max(abs(x), abs(y)) for x, y in corners)
    box = [((x / reach + 1) / 2 * end, (y / reach + 1) / 2 * end) for x, y in corners]
    arch = [(0, end), (0, 0), (end, 0), (end, end), (600, end), (600, 300), (200, 300), (200, end)]
    draws = {
        "ellipse": lambda on: on.ellipse((0, 0, end, end), fill=255),
        "triangle": lambda on: on.polygon([(0, end), (end / 2, 0), (end, end)], fill=255),
        "turned box": lambda on: on.polygon(box, fill=255),
        "arch": lambda on: on.polygon(arch, fill=255),
        "hexagon": lambda on: on.regular_polygon((end / 2, end / 2, end / 2), 6, fill=255),
    }
    alpha = {"ring": ring(SIZE, 0.5, 0.3), "stool": bar_stool(SIZE)}.get(shape)
    alpha = (layer(draws[shape]) if alpha is None else alpha) * np.float32(max(opacity, 0.15))
    picture = load_picture(np.dstack([textured(SIZE, np.random.default_rng(1)), alpha]))
    assert picture.has_alpha
    np.testing.assert_array_equal(cut_out(picture).rgba, picture.rgba)


@FEW
@given(
    st.sampled_from(["soft ellipse", "hard ellipse", "cast", "drop"]),
    st.floats(0.12, 0.6),
    st.floats(2, 14),
    st.integers(-25, 25),
)
def test_shadows_in_alpha_are_no_surface(kind: str, strength: float, blur: float, aside: int) -> None:
    truth = disc(SIZE, 0.27, y=0.45)
    x = 4 * (SIZE // 2 + aside)
    spread = 0 if kind == "hard ellipse" else blur
    ellipse = layer(lambda on: on.ellipse((x - 260, 540, x + 260, 660), fill=255), spread)
    shadow = {
        "cast": np.roll(np.asarray(Image.fromarray(truth).resize((SIZE, SIZE // 3))), aside, 1),
        "drop": np.roll(truth, (abs(aside) + 6, aside), (0, 1)),
    }.get(kind, ellipse)
    shadow = np.pad(shadow, ((SIZE - len(shadow), 0), (0, 0))).clip(0, 1) * np.float32(strength)
    alpha = truth + (1 - truth) * shadow
    front = textured(SIZE, np.random.default_rng(2))
    rgb = front * (truth / np.maximum(alpha, 1e-6))[..., None]
    picture = load_picture(np.dstack([rgb, alpha]).astype(np.float32))
    left = cut_out(picture).rgba[..., 3]
    assert iou(left, truth) > 0.97
    assert left[~dilate(truth > 0, 3)].max() < 0.02 and left[truth == 0].mean() < 0.004
    assert left[truth == 1].min() == 1


@FEW
@given(st.floats(0.15, 1), st.floats(6, 16), st.integers(0, 255))
def test_a_glow_is_no_surface(strength: float, blur: float, seed: int) -> None:
    truth = disc(SIZE, 0.25)
    alpha = np.maximum(truth, blurred(truth, blur) * np.float32(strength))
    color = np.random.default_rng(seed).uniform(0.3, 1, 3)
    picture = load_picture(np.dstack([np.broadcast_to(color, (SIZE, SIZE, 3)), alpha]).astype(np.float32))
    left = without_faint(picture.rgba)[..., 3]
    assert (left > 0.05).sum() < 1.25 * (truth > 0.5).sum()
    assert left[truth == 1].min() == 1


@FEW
@given(st.floats(0.12, 0.9), st.sampled_from([disc(SIZE, 0.3), ring(SIZE), bar_stool(SIZE)]), st.floats(0, 1))
def test_a_translucent_object_stays(opacity: float, shape: Floats, grey: float) -> None:
    rgba = np.dstack([np.full((SIZE, SIZE, 3), grey, np.float32), shape * np.float32(opacity)])
    cut = cut_out(load_picture(rgba))
    assert cut.method == "alpha"
    np.testing.assert_allclose(cut.rgba, rgba, atol=1e-6)


def test_panes_and_wings_stay() -> None:
    body = disc(SIZE, 0.2)
    wing = layer(lambda on: on.polygon([(300, 400), (40, 120), (60, 420)], fill=90))
    pane = np.maximum(ring(SIZE, 0.35, 0.25), disc(SIZE, 0.3) * np.float32(0.3))  # dark glass in a frame
    for alpha, color in ((np.maximum(body, wing), (0.5, 0.7, 0.9)), (pane, (0.1, 0.1, 0.1))):
        rgba = np.dstack([np.full((SIZE, SIZE, 3), color), alpha]).astype(np.float32)
        np.testing.assert_array_equal(without_faint(rgba), rgba)


def test_a_window_with_its_shadow_counts_as_opaque() -> None:
    rgb, truth = product_photo()
    wide = SIZE + 60
    alpha = np.pad(np.ones((SIZE, SIZE), np.float32), 30)
    alpha = np.maximum(alpha, blurred(np.roll(alpha, 8, 0), 9) * np.float32(0.47))
    picture = np.zeros((wide, wide, 4), np.float32)
    picture[30:-30, 30:-30, :3], picture[..., 3] = rgb, alpha
    cut = cut_out(load_picture(picture))
    assert cut.method == "plain" and iou(cut.rgba[30:-30, 30:-30, 3], truth) > 0.94
    assert cut.rgba[:30, :, 3].max() == 0


@pytest.mark.parametrize("above", [0, 50])
def test_a_photo_pasted_onto_transparency_is_doubtful(above: int) -> None:
    rgb, _ = product_photo()
    picture = np.zeros((SIZE + 100, SIZE, 4), np.float32)
    picture[above : above + SIZE] = with_alpha(rgb)
    cut = cut_out(load_picture(picture))
    assert cut.method == "alpha" and cut.confidence < 0.4 and "rectangle" in (cut.doubt or "")
    picture[above : above + SIZE, :, :3] = textured(SIZE, np.random.default_rng(1))  # a thing of that shape
    assert cut_out(load_picture(picture)).doubt is None


def test_what_next_to_nothing_hides_is_continued_from_beside_it() -> None:
    rgba = with_alpha(np.full((60, 80, 3), 0.75, np.float32))
    rgba[:3, :, 3] = rgba[30, 40, 3] = 0
    rgba[rgba[..., 3] == 0, :3] = 0
    assert not cuts_out(rgba[..., 3])
    np.testing.assert_allclose(opaque(rgba), 0.75, atol=1e-3)


@pytest.mark.parametrize("name", ["stray_pixel", "frame_1px", "rounded_corners"])
def test_reported_pictures_with_next_to_nothing_hidden(name: str) -> None:
    cut = cut_out(load_picture(BUGS / "cutout" / f"{name}.png"))
    assert cut.method == "plain" and 0.25 < (cut.rgba[..., 3] > 0.5).mean() < 0.4
    assert cut.rgba[:40, :40, 3].max() == 0


def test_the_reported_shadow_leaves_no_plate() -> None:
    picture = load_picture(BUGS / "cutout" / "shadow_in_alpha.png")
    left = cut_out(picture).rgba[..., 3]
    faint = (picture.rgba[..., 3] < 0.5) & ~dilate(picture.rgba[..., 3] > 0.9, 4)
    assert (picture.rgba[faint, 3] > 0.05).sum() > 20_000 and left[faint].max() < 0.02
    assert (left > 0.9).sum() >= 0.995 * (picture.rgba[..., 3] > 0.9).sum()


def test_the_reported_translucent_object_stays_whole() -> None:
    picture = load_picture(HOSTILE / "picture-translucent.png")
    assert picture.has_alpha and picture.rgba[..., 3].max() < 0.5
    np.testing.assert_array_equal(cut_out(picture).rgba, picture.rgba)


def test_alpha_asked_for_by_name_is_taken_wherever_there_is_any() -> None:
    cut = cut_out(load_picture(BUGS / "cutout" / "rounded_corners.png"), "alpha")
    assert cut.method == "alpha" and (cut.rgba[..., 3] > 0.5).mean() > 0.98
    with pytest.raises(InputImageError, match="no transparency"):
        cut_out(with_alpha(product_photo()[0]), "alpha")
