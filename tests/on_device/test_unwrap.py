"""Unwrapping on a device: the charts that numpy cuts, nothing overlaps, nothing is lost."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from geco.mesh import Mesh
from geco.mesh.uv import unwrap as on_host
from geco.mesh.uv_graph import face_links
from geco.mesh.uv_overlap import overlapping_triangles as overlapping_on_host
from geco.mesh.uv_report import overlaps, report
from geco.on_device.charts import neighbours_of
from geco.on_device.overlap import overlapping_triangles
from geco.on_device.types import DeviceMesh
from geco.on_device.unwrap import unwrap
from tests.mesh import surfaces
from tests.mesh.test_uv import SHAPES, check_kept


def unwrapped(mesh: Mesh, size: int = 1024, padding: int = 2) -> Mesh:
    return unwrap(DeviceMesh.of(mesh, "cpu"), size, padding).on_host("test")


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_is_unwrapped_without_overlap(name: str) -> None:
    mesh = SHAPES[name]()
    flat = unwrapped(mesh)
    check_kept(mesh, flat)
    assert len(overlaps(flat, 1e-6)) == 0
    assert report(flat).flipped == 0


@pytest.mark.parametrize("make", [surfaces.knot, surfaces.ramp, surfaces.bumpy, surfaces.waves])
def test_the_atlas_is_as_good_as_that_of_the_host(make: Callable[[], Mesh]) -> None:
    mesh = make()
    found, wanted = report(unwrapped(mesh)), report(on_host(mesh))
    assert found.charts <= 1.15 * wanted.charts + 2
    assert found.area_used > wanted.area_used - 0.06
    assert found.stretch_l2 < wanted.stretch_l2 + 0.03
    assert found.texel_spread < wanted.texel_spread + 0.1


@pytest.mark.parametrize("make", [surfaces.bumpy, surfaces.soup, surfaces.fans])
def test_neighbours_are_the_links_of_the_host(make: Callable[[], Mesh]) -> None:
    mesh = make()
    wanted = np.repeat(np.arange(len(mesh.faces)), 3)
    links = face_links(mesh.faces, len(mesh.vertices))
    wanted[links[0]], wanted[links[1]] = links[1] // 3, links[0] // 3
    found = neighbours_of(torch.from_numpy(mesh.faces).long(), len(mesh.vertices))
    np.testing.assert_array_equal(found.numpy(), wanted.reshape(-1, 3))


@pytest.mark.parametrize("spread", [0.02, 0.3])
def test_triangles_overlap_where_the_host_says_so(spread: float) -> None:
    rng = np.random.default_rng(3)
    triangles = rng.uniform(size=(400, 1, 2)) + spread * rng.normal(size=(400, 3, 2))
    triangles[::7] *= [1e-9, 1]
    groups = rng.integers(0, 3, 400)
    wanted = overlapping_on_host(triangles, groups, 1e-6)
    x, y = torch.from_numpy(np.ascontiguousarray(triangles.transpose(2, 1, 0)))
    pairs = overlapping_triangles(x, y, torch.from_numpy(groups), torch.tensor(1e-6))
    found = torch.stack(pairs, dim=1).numpy()
    assert {tuple(sorted(pair)) for pair in found.tolist()} == {tuple(sorted(p)) for p in wanted.tolist()}
    assert len(wanted) > 10 and len(found) == len(wanted)
