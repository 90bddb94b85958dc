"""The surface of a grid on a device is the one that numpy makes of it, vertex by vertex."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geco.graph import connected_components as of_host
from geco.isosurface.flexicubes_numpy import extract
from geco.on_device import extract as on_device
from geco.on_device.groups import connected_components, first_of_group, group_sums, numbered
from tests.isosurface.test_flexicubes import noise
from tests.on_device.fields import on_tensors


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10**6), st.tuples(*[st.integers(3, 8)] * 3), st.booleans())
def test_noise_gives_the_vertices_and_faces_of_numpy(
    seed: int, shape: tuple[int, int, int], weighted: bool
) -> None:
    grid = noise(shape, seed, weighted)
    vertices, faces = extract(grid)
    found = on_device.extract(on_tensors(grid))
    np.testing.assert_array_equal(found.faces.numpy(), faces)
    np.testing.assert_allclose(found.vertices.numpy(), vertices, atol=1e-6)


@pytest.mark.parametrize("inside", [1.0, -1.0])
def test_where_nothing_crosses_there_is_no_surface(inside: float) -> None:
    grid = noise((3, 3, 3), 0, True)
    grid.sdf[:] = inside
    found = on_device.extract(on_tensors(grid))
    assert found.vertices.shape == (0, 3) and found.faces.shape == (0, 3)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 300), st.floats(0, 2))
def test_parts_are_those_of_the_host(seed: int, count: int, density: float) -> None:
    a, b = np.random.default_rng(seed).integers(0, count, (2, int(density * count)))
    found = connected_components(count, torch.from_numpy(a), torch.from_numpy(b), "test")
    np.testing.assert_array_equal(found.numpy(), of_host(count, a, b))
    places, parts = numbered(found)
    np.testing.assert_array_equal(places.numpy(), np.unique(found.numpy(), return_inverse=True)[1])
    assert int(parts) == len(np.unique(found.numpy()))


def test_a_long_shuffled_path_is_one_part() -> None:
    order = torch.from_numpy(np.random.default_rng(0).permutation(5000))
    assert not connected_components(5000, order[:-1], order[1:], "test").any()


def test_sums_are_true_and_do_not_depend_on_the_order() -> None:
    rng = np.random.default_rng(1)
    values, group = (
        rng.normal(size=(5000, 2)) * 10.0 ** rng.integers(-6, 3, (5000, 1)),
        rng.integers(0, 40, 5000),
    )
    sums = group_sums(torch.from_numpy(values), torch.from_numpy(group), 50)
    truth = np.stack([np.bincount(group, values[:, k], 50) for k in range(2)], axis=1)
    np.testing.assert_allclose(sums.numpy(), truth, atol=1e-9 * np.abs(values).max())
    mixed = rng.permutation(5000)
    again = group_sums(torch.from_numpy(values[mixed]), torch.from_numpy(group[mixed]), 50)
    assert torch.equal(sums, again)
    assert not group_sums(torch.zeros(3, 1), torch.zeros(3, dtype=torch.long), 2).any()


def test_the_first_of_each_group_of_keys() -> None:
    keys = np.random.default_rng(2).integers(-5, 5, 60)
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    np.testing.assert_array_equal(first_of_group(torch.from_numpy(keys)).numpy(), first[inverse])
