"""The torch-free runtime gives what torch gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from geco.errors import MeshError
from geco.isosurface.flexicubes_numpy import extract
from geco.isosurface.grids import grid_from_volume
from geco.multiview.generate import generate_views
from geco.multiview.interface import Condition
from geco.multiview.small.codec import PixelCodec
from geco.multiview.small.network import SmallMultiView
from geco.onnx_runtime.card import ExportedModel
from geco.onnx_runtime.networks import SmallGenerator
from geco.onnx_runtime.networks import SmallReconstructor as OnnxReconstructor
from geco.reconstruct.small.fields import DIRECT, LATTICE, SmallFields, crossing_ends, in_chunks, upsampling
from geco.reconstruct.small.model import SmallReconstructor
from geco.sampling import Sampling
from tests.onnx_runtime.conftest import SIZE

Networks = tuple[SmallMultiView, SmallReconstructor]


def picture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((SIZE, SIZE, 3), np.float32)


def channels_first(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(image, -1, -3)))


WAYS = [
    Sampling(),
    Sampling(truncation=0.4),
    Sampling(guidance_scale=2.0, timestep=600),
    Sampling("few-step", 2),
    Sampling("few-step", 3, 2.0, timesteps=(999, 600, 100), truncation=0.5),
    Sampling("ddim", 1, clip=1.0),
    Sampling("ddim", 3, 2.0, clip=1.0),
    Sampling("ddim", 7, 2.0, 0.5),
    Sampling("euler-ancestral", 3, 2.0, clip=1.0),
]


@pytest.mark.parametrize("sampling", WAYS)
def test_a_seed_gives_the_same_views_as_on_torch(
    networks: Networks, exported: Path, sampling: Sampling
) -> None:
    ours = SmallGenerator(ExportedModel(exported)).generate(picture(), [3, 7], sampling)
    theirs = generate_views(networks[0], PixelCodec(SIZE), channels_first(picture())[None], [3, 7], sampling)
    assert ours.shape == (2, 6, SIZE, SIZE, 3)
    np.testing.assert_allclose(ours, np.moveaxis(theirs.numpy(), 2, -1), atol=1e-5)


def test_truncation_shrinks_the_noise_of_the_one_step(exported: Path) -> None:
    generator = SmallGenerator(ExportedModel(exported))
    whole, less, none = (generator.generate(picture(), [3, 7], Sampling(truncation=t)) for t in (1, 0.4, 0))
    assert np.abs(whole - less).max() > 0.01
    np.testing.assert_allclose(none[0], none[1], atol=1e-5)


def test_a_seed_gives_the_same_views_in_any_batch(exported: Path) -> None:
    generator = SmallGenerator(ExportedModel(exported))
    alone = generator.generate(picture(), [7])
    together = generator.generate(picture(), [3, 7])
    np.testing.assert_allclose(together[1], alone[0], atol=1e-5)
    assert np.abs(together[0] - together[1]).max() > 0.01
    assert alone.min() >= 0 and alone.max() <= 1


@torch.no_grad()
def test_zeros_are_the_dropped_condition(networks: Networks, exported: Path) -> None:
    generator, x_t = SmallGenerator(ExportedModel(exported)), torch.randn(2, 6, 3, SIZE, SIZE)
    picture_ = channels_first(picture())[None] * 2 - 1
    t, guidance = torch.full((2,), 700), 2.5
    unconditional, conditional = (
        networks[0].predict(x_t, t, networks[0].encode_condition(condition).expand(2), "x0").numpy()
        for condition in (Condition(picture_, keep=torch.tensor([False])), Condition(picture_))
    )
    found = generator.denoise(picture(), x_t.numpy(), 700, guidance)
    np.testing.assert_allclose(found, unconditional + guidance * (conditional - unconditional), atol=1e-4)
    assert np.abs(unconditional - conditional).max() > 0.01


@torch.no_grad()
def test_fields_at_points_inside_and_outside_the_views(networks: Networks, exported: Path) -> None:
    rng = np.random.default_rng(2)
    views, points = (
        rng.random((6, SIZE, SIZE, 3), np.float32),
        rng.uniform(-1.2, 1.2, (2000, 3)).astype(np.float32),
    )
    fields = OnnxReconstructor(ExportedModel(exported)).reconstruct(views, picture())
    features = networks[1].encode(channels_first(views)[None], channels_first(picture())[None])
    where = torch.from_numpy(points)[None]
    np.testing.assert_allclose(fields.shape(points), networks[1].sdf(features, where)[0], atol=2e-5)
    np.testing.assert_allclose(
        fields.color(points), networks[1].color(features, where)[0].clamp(0, 1), atol=1e-4
    )
    np.testing.assert_allclose(fields.coarse, features.volume[0, 0] * 0.1, atol=1e-5)


def ball(radius: float, half_extent: float = 1.0, fine: float | None = None) -> SmallFields:
    """A ball's exact fields with a coarse volume of another radius; colour is a linear function
    of position.
    """
    axis = ((np.arange(24) + 0.5) / 12 - 1) * half_extent
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    coarse = (np.sqrt(x**2 + y**2 + z**2) - radius).astype(np.float32)

    def shape(points: np.ndarray) -> np.ndarray:
        return (np.linalg.norm(points, axis=1) - (fine or radius)).astype(np.float32)

    return SmallFields(coarse, shape, lambda p: (p * [0.2, 0.3, 0.4] + 0.5).astype(np.float32), half_extent)


@pytest.mark.parametrize("resolution", [24, 48, 50])
def test_surface_is_the_fine_fields(resolution: int) -> None:
    fields = ball(0.6, fine=0.58)
    axis = np.linspace(-1, 1, resolution + 1, dtype=np.float32)
    everywhere = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    dense = grid_from_volume(fields.shape(everywhere).reshape((resolution + 1,) * 3), 1.0)
    for ours, theirs in zip(extract(fields.grid(resolution)), extract(dense)):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize("resolution", [31, 64])
@pytest.mark.parametrize("finer", [False, True])
def test_the_surface_is_followed_as_if_the_whole_grid_were_looked_at_again(
    resolution: int, finer: bool
) -> None:
    """The fine surface lies up to three voxels off the coarse one, so vertices are asked in many rounds."""
    fields = ball(0.62)
    fields.shape = lambda p: (  # type: ignore[method-assign]
        np.linalg.norm(p, axis=1) - 0.55 - 0.15 * np.sin(7 * p[:, 0]) * np.cos(5 * p[:, 2])
    ).astype(np.float32)
    near = fields.dense(24) if finer else None
    found = fields.dense(resolution, near)
    asked: list[np.ndarray] = []
    exact, axis = fields.shape, np.linspace(-1, 1, resolution + 1, dtype=np.float32)
    fields.shape = lambda p: (asked.append(p), exact(p))[1]  # type: ignore
    np.testing.assert_array_equal(fields.dense(resolution, near), found)
    known = np.zeros(found.shape, bool)
    known[tuple(np.searchsorted(axis, np.concatenate(asked)).T)] = True
    assert known.sum() == sum(map(len, asked))  # nothing twice
    # Whatever crosses the surface was asked, and is the fine field; the border was closed afterwards.
    ends = crossing_ends(found < 0)
    assert (known | ~ends)[1:-1, 1:-1, 1:-1].all() and len(asked) >= 3
    places = np.argwhere(ends[1:-1, 1:-1, 1:-1]) + 1
    np.testing.assert_array_equal(found[tuple(places.T)], exact(axis[places]))


def test_most_of_the_grid_is_not_asked() -> None:
    asked = []
    fields = ball(0.6)
    exact = fields.shape
    fields.shape = lambda points: (asked.append(len(points)), exact(points))[1]  # type: ignore
    fields.grid(64)
    assert sum(asked) < 0.12 * 65**3


def test_surface_is_closed_where_the_object_leaves_the_volume() -> None:
    _, faces = extract(ball(1.3).grid(24))
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    forth, back = (np.unique(e, axis=0, return_counts=True) for e in (edges, edges[:, ::-1]))
    assert (forth[0] == back[0]).all() and (forth[1] == back[1]).all()


def test_nothing_inside_is_an_error() -> None:
    with pytest.raises(MeshError, match="no object"):
        ball(-0.5).grid(24)


@pytest.mark.parametrize("half_extent", [1.0, 0.5])
def test_many_colours_are_interpolated_exactly_where_colour_is_linear(half_extent: float) -> None:
    points = np.random.default_rng(0).uniform(-half_extent, half_extent, (DIRECT + 1, 3)).astype(np.float32)
    points[0] = half_extent
    np.testing.assert_allclose(
        ball(0.6, half_extent).color(points), points * [0.2, 0.3, 0.4] + 0.5, atol=2e-3 / LATTICE
    )


def test_upsampling_keeps_a_linear_function_between_the_outer_centres() -> None:
    centres = (np.arange(24) + 0.5) / 24
    result = upsampling(24, 48) @ (3 * centres - 1)
    vertices = np.arange(49) / 48
    np.testing.assert_allclose(result[1:-1], 3 * vertices[1:-1] - 1, atol=1e-6)


def test_chunks_join_in_order() -> None:
    points = np.arange(60_000 * 3, dtype=np.float32).reshape(-1, 3)
    assert (in_chunks(lambda p: p[:, 0], points) == points[:, 0]).all()
    assert in_chunks(lambda p: p, points[:0]).shape == (0, 3)
