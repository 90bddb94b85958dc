"""Plane look-up and volume rendering against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geco.cameras import INPUT_FOV, orbit_poses, render_vectors
from geco.reconstruct.instantmesh.volume import (
    Draws,
    box_limits,
    camera_rays,
    composite,
    render_rays,
    sample_pdf,
    stratified_depths,
)
from geco.reconstruct.triplane import PLANE_AXES, point_features, sample_planes
from tests.reconstruct import tiny


def test_a_ramp_on_a_plane_reads_the_coordinate_it_runs_along() -> None:
    side = 16
    centres = (torch.arange(side) + 0.5) / side * 2 - 1
    planes = torch.zeros(1, 3, 2, side, side)
    planes[:, :, 0] = centres  # along the width
    planes[:, :, 1] = centres[:, None]  # along the height
    # within the outermost centres bilinear is exact
    points = (torch.rand(1, 200, 3) * 2 - 1) * (1 - 1 / side)
    read = sample_planes(planes, points)
    for plane, (across, down) in enumerate(PLANE_AXES):
        torch.testing.assert_close(read[0, plane, :, 0], points[0, :, across])
        torch.testing.assert_close(read[0, plane, :, 1], points[0, :, down])
    assert torch.equal(point_features(planes, points)[..., 2:4], read[:, 1])


def test_beyond_the_planes_there_is_nothing_and_half_planes_read_in_full_precision() -> None:
    planes = torch.randn(1, 3, 4, 8, 8)
    outside = torch.full((1, 1, 3), 1.2)
    assert (sample_planes(planes, outside) == 0).all()
    points = torch.rand(1, 50, 3) * 2 - 1
    half = sample_planes(planes.half(), points)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, sample_planes(planes.half().float(), points))


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_box_limits_bound_the_part_of_the_ray_inside(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    origins = torch.randn(40, 3, generator=generator) * 2
    directions = torch.nn.functional.normalize(torch.randn(40, 3, generator=generator), dim=-1)
    enter, leave = box_limits(origins, directions)
    along = torch.linspace(-12, 12, 4001)[None, :, None]
    inside = ((origins[:, None] + along * directions[:, None]).abs() < 1).all(-1)
    for ray in range(40):
        found = along[0, inside[ray], 0]
        if len(found) > 3:
            assert abs(found.min() - enter[ray, 0]) < 0.01
            assert abs(found.max() - leave[ray, 0]) < 0.01
        if leave[ray] == -2:
            assert not inside[ray].any()


def test_uniform_fog_has_its_closed_form() -> None:
    density, length = 1.7, 2.0
    raw = torch.log(torch.expm1(torch.tensor(density))) + 1  # softplus(raw - 1) = density
    depths = torch.linspace(1, 1 + length, 33).reshape(1, 1, -1, 1)
    colors = torch.tensor([0.2, 0.5, 0.9]).expand(1, 1, 33, 3)
    rgb, _, weights = composite(colors, raw.expand(1, 1, 33, 1), depths)
    opacity = 1 - np.exp(-density * length)
    assert weights.sum().item() == pytest.approx(opacity, abs=1e-5)
    np.testing.assert_allclose(rgb[0, 0], opacity * np.array([0.2, 0.5, 0.9]) + 1 - opacity, atol=1e-5)
    black = composite(colors, raw.expand(1, 1, 33, 1), depths, white=False)[0]
    np.testing.assert_allclose(black[0, 0], opacity * np.array([0.2, 0.5, 0.9]), atol=1e-5)


def test_samples_of_a_flat_density_are_the_draws_and_a_peak_takes_them_all() -> None:
    draws = torch.rand(3, 50)
    bins = torch.linspace(2, 4, 9).expand(3, 9)
    torch.testing.assert_close(sample_pdf(bins, torch.ones(3, 8), draws), 2 + 2 * draws, atol=1e-5, rtol=0)
    peak = torch.zeros(3, 8)
    peak[:, 5] = 1e4
    found = sample_pdf(bins, peak, draws.clamp(0.01, 0.99))
    assert ((found >= bins[0, 5]) & (found <= bins[0, 6])).all()


def test_strata_stay_in_order() -> None:
    start, end = torch.tensor([[[1.0]]]), torch.tensor([[[3.0]]])
    depths = stratified_depths(start, end, torch.rand(1, 1, 9, 1))
    assert (depths[:, :, 1:] > depths[:, :, :-1]).all()
    assert torch.equal(
        stratified_depths(start, end, torch.zeros(1, 1, 9, 1))[0, 0, :, 0], torch.linspace(1, 3, 9)
    )


def test_rays_pass_through_the_pixels_that_the_camera_model_says() -> None:
    pose = orbit_poses(40, 20, 4.0)
    vector = torch.from_numpy(render_vectors(pose, INPUT_FOV))[None]
    origins, directions = camera_rays(vector[:, :16].reshape(1, 4, 4), vector[:, 16:].reshape(1, 3, 3), 8)
    from geco.cameras import project_points

    places, _ = project_points((origins + 3 * directions)[0].numpy(), pose, INPUT_FOV)
    columns, rows = np.meshgrid(np.arange(8), np.arange(8))
    np.testing.assert_allclose(places[..., 0].ravel(), (columns.ravel() + 0.5) / 8, atol=1e-5)
    np.testing.assert_allclose(places[..., 1].ravel(), (rows.ravel() + 0.5) / 8, atol=1e-5)


def test_a_sphere_is_seen_at_its_place_and_chunks_change_nothing() -> None:
    made, planes = tiny.sphere("nerf", radius=0.6, rendering_samples_per_ray=256)
    cameras = torch.from_numpy(render_vectors(orbit_poses([0, 130], [0, 40], 4.0), 30.0))[None]
    whole = made.synthesizer.render(planes, cameras, 15)
    cut = made.synthesizer.render(planes, cameras, 15, chunk=999)
    for a, b in ((whole.rgb, cut.rgb), (whole.depth, cut.depth), (whole.weight, cut.weight)):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=0)
    assert whole.weight[0, :, 0, 7, 7] == pytest.approx(torch.ones(2), abs=1e-3)
    # The level density is met a little inside: rays stop within a few hundredths of the surface at distance 4
    # - 0.6.
    assert whole.depth[0, :, 0, 7, 7].sub(3.4).abs().max() < 0.05
    assert whole.weight[0, :, 0, 0, 0].max() < 1e-3
    np.testing.assert_allclose(whole.rgb[0, :, :, 0, 0], 1.0, atol=1e-3)  # white background
    np.testing.assert_allclose(whole.rgb[0, :, :, 7, 7], 0.5, atol=1e-2)


def test_random_draws_are_repeatable_and_gradients_finite() -> None:
    made = tiny.model("nerf")
    planes = torch.randn(1, 3, 4, 8, 8, requires_grad=True)
    cameras = torch.from_numpy(render_vectors(orbit_poses([10], [5], 4.0), 30.0))[None]
    rays = torch.empty(1, 36, 3)
    images = []
    for _ in range(2):
        draws = Draws.random(
            rays, *made.synthesizer.split_samples(), generator=torch.Generator().manual_seed(3)
        )
        images.append(made.synthesizer.render(planes, cameras, 6, draws).rgb)
    assert torch.equal(*images)
    images[0].sum().backward()
    assert torch.isfinite(planes.grad).all()
    assert planes.grad.abs().sum() > 0


def test_rays_that_all_miss_see_the_background() -> None:
    origins, directions = torch.tensor([[[5.0, 0, 0]]]), torch.tensor([[[0.0, 1, 0]]])

    def field(points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.zeros_like(points), torch.full_like(points[..., :1], 50.0)

    result = render_rays(field, origins, directions, Draws.middle(directions, 8, 8))
    np.testing.assert_allclose(result.rgb, 1.0)
    np.testing.assert_allclose(result.weight, 0.0)
