"""Thin, faint, tiny, cut, scattered: every picture that can be read ends in a mesh or in our own
error, and never otherwise.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from geco.asset import Asset
from geco.batches import MOST_SAMPLES
from geco.errors import ConfigError, InputImageError, MeshError
from geco.pipeline import GecoPipeline
from geco.surface_to_asset import AssetOptions

CASES = Path(__file__).parent / "cases"
SMALL = AssetOptions(texture_size=64, resolution=32)  # a tenth of a second


@pytest.fixture(scope="module")
def pipeline() -> GecoPipeline:
    return GecoPipeline.from_pretrained("small")


def drawn(kind: str, size: int, ratio: float, angle: float, alpha: float, white: bool) -> np.ndarray:
    """(size, size, 4) float32: a bar, ring, zigzag, dot, pair or corner of a disc, anti-aliased; clear or on
    white behind it.

    ``ratio`` is length over width of the line that draws it, ``angle`` in degrees."""
    side = 3 * size
    mask = Image.new("L", (side, side))
    pen = ImageDraw.Draw(mask)
    width = max(round(0.9 * side / ratio), 1)
    if kind == "bar":
        reach = 0.45 * side * np.array([np.sin(np.radians(angle)), np.cos(np.radians(angle))])
        pen.line([*(side / 2 - reach), *(side / 2 + reach)], 255, width)
    elif kind == "ring":
        pen.ellipse([0.1 * side, 0.1 * side, 0.9 * side, 0.9 * side], outline=255, width=width)
    elif kind == "zigzag":
        pen.line(
            [
                (0.1 * side, 0.2 * side),
                (0.4 * side, 0.8 * side),
                (0.6 * side, 0.1 * side),
                (0.9 * side, 0.9 * side),
            ],
            255,
            width,
        )
    elif kind == "dot":
        pen.ellipse([side * 0.7, side * 0.2, side * 0.7 + width, side * 0.2 + width], 255)
    elif kind == "pair":
        for left in (0.05, 0.75):
            pen.ellipse([left * side, 0.4 * side, (left + 0.2) * side, 0.6 * side], 255)
    else:
        pen.ellipse([-0.4 * side, -0.4 * side, 0.4 * side, 0.4 * side], 255)
    cover = np.asarray(mask.resize((size, size), Image.Resampling.BOX), np.float32) * np.float32(alpha / 255)
    v, u = np.indices((size, size), np.float32) / size
    rgb = np.stack([0.2 + 0.6 * u, 0.3 + 0.3 * v, 0.5 - 0.3 * u], axis=2)
    if white:
        return np.dstack([cover[..., None] * rgb + 1 - cover[..., None], np.ones_like(cover)]).astype(
            np.float32
        )
    return np.dstack([rgb, cover])


def made(pipeline: GecoPipeline, picture: object, options: AssetOptions = SMALL) -> Asset | None:
    """The asset, checked; None where the picture or the model's answer is refused; anything else,
    a warning too, is raised.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            asset = pipeline(picture, options=options)
        except (InputImageError, MeshError) as error:
            assert error.remedy
            return None
    mesh = asset.mesh
    assert len(mesh.faces) and np.isfinite(mesh.vertices).all() and mesh.texture is not None
    assert mesh.faces.min() >= 0 and mesh.faces.max() < len(mesh.vertices)
    return asset


@pytest.mark.parametrize("name", ["bugs/run/brush.jpg", "hostile/picture-translucent.png"])
def test_pictures_that_had_no_outline_make_a_mesh(name: str, pipeline: GecoPipeline) -> None:
    asset = made(pipeline, CASES / name)
    assert asset is not None and asset.facts["outline_kept"]


def test_a_translucent_picture_without_its_outline_is_as_it_was(pipeline: GecoPipeline) -> None:
    asset = made(
        pipeline,
        CASES / "hostile/picture-translucent.png",
        AssetOptions(texture_size=64, resolution=32, outline=False),
    )
    assert asset is not None and not asset.facts["outline_kept"] and not asset.facts["projected"]
    assert asset.facts["input_camera"]["iou"] == 0


@pytest.mark.parametrize("ratio", [30, 50, 80, 120, 160, 400])
@pytest.mark.parametrize("white", [False, True])
def test_an_upright_bar_is_a_bar_in_one_piece_however_thin(
    ratio: int, white: bool, pipeline: GecoPipeline
) -> None:
    asset = made(pipeline, drawn("bar", 400, ratio, 0, 1.0, white))
    assert asset is not None and asset.facts["outline_kept"]
    low, high = asset.mesh.vertices.min(axis=0), asset.mesh.vertices.max(axis=0)
    assert high[2] - low[2] > 3 * (high[1] - low[1])  # tall (z), not wide (y)


@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from(["bar", "ring", "zigzag", "dot", "pair", "corner"]), st.sampled_from([40, 97, 256]),
    st.floats(2, 500), st.floats(0, 180), st.sampled_from([0.06, 0.11, 0.3, 0.49, 0.5, 0.51, 1.0]),
    st.booleans(), st.booleans(),
)  # fmt: skip
def test_every_thin_faint_tiny_cut_or_scattered_thing_ends_well(
    kind: str, size: int, ratio: float, angle: float, alpha: float, white: bool, outline: bool
) -> None:
    made(
        GENERAL,
        drawn(kind, size, ratio, angle, alpha, white),
        AssetOptions(texture_size=64, resolution=24, outline=outline),
    )


GENERAL = GecoPipeline.from_pretrained("small")


@pytest.mark.parametrize("alpha", [1, 26, 127, 255])
@pytest.mark.parametrize("place", [(0, 0), (31, 31), (63, 10)])
def test_one_pixel_is_an_object_or_refused(
    alpha: int, place: tuple[int, int], pipeline: GecoPipeline
) -> None:
    picture = np.zeros((64, 64, 4), np.uint8)
    picture[place] = (200, 30, 30, alpha)
    asset = made(pipeline, picture)
    assert (asset is None) or alpha >= 26


@pytest.mark.parametrize(
    "options",
    [{"watertight": True}, {"faces": 100}, {"projection": False}, {"resolution": 16}, {"texture_size": 65}],
)
def test_thin_things_with_every_option(options: dict[str, int], pipeline: GecoPipeline) -> None:
    for kind in ("bar", "ring"):
        made(
            pipeline,
            drawn(kind, 200, 90, 20, 1.0, False),
            AssetOptions(**{"texture_size": 64, "resolution": 32, **options}),
        )  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["faces", "texture_size", "resolution"])
@pytest.mark.parametrize("value", [-1, 0, 10**9, 10**30, 100.5, float("nan"), "400", True])
def test_numbers_of_the_mesh_are_bounded(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=name.replace("_", " ")):
        AssetOptions(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("seeds", [[], [-1], [2**32], [0.5], ["1"], range(MOST_SAMPLES + 1), range(10**9)])
def test_seeds_are_bounded(seeds: list[int], pipeline: GecoPipeline) -> None:
    with pytest.raises(ConfigError):
        next(pipeline.samples(drawn("pair", 64, 9, 0, 1.0, False), seeds, SMALL))


def test_more_seeds_than_a_batch_come_in_order_and_as_they_would_alone(
    pipeline: GecoPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("geco.batches.BATCH", 2)
    picture, options = (
        drawn("corner", 96, 9, 0, 1.0, False),
        AssetOptions(texture_size=64, resolution=16, projection=False, outline=False),
    )
    assets = list(pipeline.samples(picture, range(3), options))
    assert [asset.seed for asset in assets] == [0, 1, 2]
    alone = pipeline(picture, 2, options)
    np.testing.assert_allclose(assets[2].views, alone.views, atol=1e-4)
