"""What the vectorised code stands on: owners of items, choices without branches, mended texels."""

from __future__ import annotations

import numpy as np

from geco.mesh.bake import bake, painted, rasterize_uv
from geco.mesh.topology import chosen, expand, sorted_with_order
from geco.mesh.uv import unwrap
from tests.mesh import shapes


def test_every_item_knows_its_owner_and_its_place() -> None:
    for counts in ([0, 3, 0, 0, 2, 0], [4], [0, 0], []):
        owner, place = expand(np.array(counts, np.intp))
        np.testing.assert_array_equal(owner, np.repeat(np.arange(len(counts)), counts))
        np.testing.assert_array_equal(place, [k for count in counts for k in range(count)])


def test_a_choice_is_that_of_where() -> None:
    rng = np.random.default_rng(0)
    mask, yes, no = rng.random(50) < 0.5, rng.random((2, 50)), rng.random((2, 50))
    np.testing.assert_array_equal(chosen(mask, yes, no), np.where(mask, yes, no))


def test_keys_come_in_order_and_equal_ones_as_they_stood() -> None:
    for largest in (5, 1 << 61):  # the second one has no room for the order in its low bits
        keys = np.random.default_rng(1).integers(0, 6, 100) * (largest // 5)
        ordered, order = sorted_with_order(keys)
        np.testing.assert_array_equal(order, np.argsort(keys, kind="stable"))
        np.testing.assert_array_equal(ordered, keys[order])


def test_painted_texels_show_in_the_gaps_that_repeat_them_and_nowhere_else() -> None:
    mesh = unwrap(shapes.sphere(2), 64)
    raster = rasterize_uv(mesh, 64)
    texture = bake(mesh, lambda p: np.zeros_like(p), 64, raster=raster).texture
    assert texture is not None
    some = raster.texels[::3]
    new = painted(texture, raster, some, np.ones((3, len(some)), np.float32)).reshape(-1, 3)
    white = np.zeros(64 * 64, bool)
    white[some] = True
    empty, sources = raster.filling
    white[empty] = white[sources]
    assert (new[white] == 255).all() and (new[~white] == 0).all() and not texture.any()
