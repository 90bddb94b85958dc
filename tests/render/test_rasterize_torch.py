"""The differentiable rasteriser: gradients against finite differences, silhouettes against areas,
engines alike.
"""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import torch
from torch import Tensor

from geco.cameras import orbit_poses
from geco.errors import ConfigError
from geco.render import rasterize_numpy
from geco.render.antialias import antialias
from geco.render.rasterize_torch import interpolate, rasterize
from geco.render.shade_torch import render_mesh, vertex_normals
from tests.render.shapes import FOV, FRONT, RADIUS, ball, focal, square

POSES = torch.from_numpy(orbit_poses([0.0, 75.0, 200.0], [0.0, 20.0, -30.0], RADIUS))
BALL = tuple(torch.from_numpy(array) for array in ball(0.7, 32))


def mask_of(vertices: Tensor, faces: Tensor, c2w: Tensor, size: int) -> Tensor:
    """(..., H, W) anti-aliased."""
    fragments = rasterize(vertices, faces, c2w, FOV, size)
    return antialias(fragments.mask[..., None].to(vertices.dtype), fragments, vertices, faces, c2w, FOV)[
        ..., 0
    ]


@pytest.mark.parametrize("engine", ["torch", "numpy"])
def test_fragments_equal_the_numpy_twins(engine: str) -> None:
    vertices, faces = BALL
    ours = rasterize(vertices, faces, POSES, FOV, 96, engine)  # type: ignore[arg-type]
    for i, pose in enumerate(POSES.numpy()):
        twin = rasterize_numpy.rasterize(vertices.numpy(), faces.numpy(), pose, FOV, 96)
        assert np.array_equal(ours.face_ids[i].numpy(), twin.face_ids)
        assert np.abs(ours.barycentrics[i].numpy() - twin.barycentrics).max() < 1e-3
        seen = twin.mask
        assert np.abs(ours.depth[i].numpy()[seen] - twin.depth[seen]).max() < 1e-5
        assert torch.isinf(ours.depth[i][~torch.from_numpy(seen)]).all()


def test_of_equally_near_faces_the_lower_number_is_seen_on_tensors_too() -> None:
    corners = torch.tensor([[0.0, -0.5, -0.5], [0.0, 0.5, -0.5], [0.0, 0.0, 0.5]])
    both = rasterize(corners, torch.tensor([[0, 1, 2], [0, 1, 2]]), POSES[0], FOV, 32, "torch")
    assert both.mask.any() and int(both.face_ids.max()) == 0


def test_leading_dimensions_follow_the_cameras() -> None:
    vertices, faces = BALL
    many = rasterize(vertices, faces, POSES[None].expand(2, -1, -1, -1), FOV, 32)
    one = rasterize(vertices, faces, POSES[1], FOV, 32)
    assert many.barycentrics.shape == (2, 3, 32, 32, 3) and one.depth.shape == (32, 32)
    assert torch.equal(many.face_ids[1, 1], one.face_ids)


def test_positions_at_pixels_have_true_gradients() -> None:
    """Attributes, barycentrics and depth, against finite differences in double precision with the
    seen faces held.
    """
    vertices, faces = (torch.from_numpy(a) for a in square(0.2, (-0.6, -0.5), (0.5, 0.7)))
    points = (vertices + torch.tensor([[0.3, 0, 0], [-0.2, 0, 0], [0.1, 0, 0], [0, 0, 0]])).double()
    colors = torch.rand(4, 2, dtype=torch.double, generator=torch.Generator().manual_seed(0))
    # Only pixels well inside: there no finite step changes who is seen.
    pose = torch.from_numpy(FRONT).double()

    def inner(moved: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        found = rasterize(moved, faces, pose, FOV, 12)
        return interpolate(values, faces, found)[4:7, 4:7], found.depth[4:7, 4:7]

    # The diagonal passes between pixel centres, so a step of 1e-6 leaves every pixel on its face.
    assert torch.autograd.gradcheck(
        inner, (points.requires_grad_(True), colors.requires_grad_(True)), eps=1e-6, atol=1e-6
    )


def test_the_anti_aliased_mask_of_a_square_sums_to_its_area() -> None:
    size, half = 64, 0.371
    vertices, faces = (torch.from_numpy(a) for a in square(0.0, (-half, -half), (half, half)))
    side = 2 * half * focal(size) / RADIUS
    for shift in np.linspace(0, 0.09, 7):
        moved = vertices + torch.tensor([0.0, shift, 0.6 * shift], dtype=torch.float32)
        mask = mask_of(moved, faces, torch.from_numpy(FRONT), size)
        # only the four corner pixels are approximate
        assert mask.sum().item() == pytest.approx(side**2, abs=1.0)
        assert mask.min() >= -1e-6 and mask.max() <= 1 + 1e-6
        hard = rasterize(moved, faces, torch.from_numpy(FRONT), FOV, size).mask.sum().item()
        assert abs(mask.sum().item() - side**2) <= abs(hard - side**2) + 1.0


def test_gradients_of_coverage_are_those_of_the_area() -> None:
    """Moving a square's right side by d adds d times its height; stretching a ball adds its
    outline's growth.
    """
    size, half = 64, 0.371
    vertices, faces = (torch.from_numpy(a) for a in square(0.0, (-half, -half), (half, half)))
    vertices.requires_grad_(True)
    mask_of(vertices, faces, torch.from_numpy(FRONT), size).sum().backward()
    scale = focal(size) / RADIUS
    assert vertices.grad is not None
    right = vertices.grad[[1, 2], 1].sum().item()
    assert right == pytest.approx(2 * half * scale * scale, rel=0.03)
    assert vertices.grad[:, 1].sum().item() == pytest.approx(0, abs=1e-3)  # moving it whole adds nothing

    points, triangles = BALL
    stretch = torch.ones((), requires_grad=True)
    (slope,) = torch.autograd.grad(mask_of(points * stretch, triangles, POSES, 128).sum(), stretch)
    r2 = 0.7**2
    exact = 3 * 2 * np.pi * focal(128) ** 2 * r2 * RADIUS**2 / (RADIUS**2 - r2) ** 2
    assert slope.item() == pytest.approx(exact, rel=0.015)


def test_gradients_of_a_weighted_mask_match_finite_differences_of_true_coverage() -> None:
    """Truth: the same outline drawn 16 times finer without anti-aliasing, weights smooth over the picture."""
    points, triangles = BALL
    pose, size, fine = torch.from_numpy(FRONT), 48, 16
    grid = (torch.arange(size * fine) + 0.5) / (size * fine)
    weights = torch.sin(5 * grid)[:, None] + torch.cos(4 * grid)[None]
    coarse = weights.reshape(size, fine, size, fine).mean(dim=(1, 3))
    for direction in (torch.tensor([0.0, 1.0, 0.0]), torch.tensor([0.0, 0.3, -1.0])):
        step = torch.zeros((), requires_grad=True)
        (slope,) = torch.autograd.grad(
            (coarse * mask_of(points + step * direction, triangles, pose, size)).sum(), step
        )
        ends = [
            rasterize(points + h * direction, triangles, pose, FOV, size * fine).mask for h in (0.02, -0.02)
        ]
        truth = ((ends[0].float() - ends[1].float()) * weights).sum() / 0.04 / fine**2
        assert slope.item() == pytest.approx(truth.item(), rel=0.03)


def test_a_silhouette_before_another_surface_blends_the_two() -> None:
    size = 64
    near, faces = square(0.5, (-0.31, -0.4), (0.333, 0.4))
    far, _ = square(-0.5, (-1.5, -1.5), (1.5, 1.5))
    vertices = torch.from_numpy(np.concatenate([near, far]))
    both = torch.from_numpy(np.concatenate([faces, faces + 4]))
    colors = torch.tensor([[1.0, 0.0, 0.0]] * 4 + [[0.0, 0.0, 1.0]] * 4)
    pose = torch.from_numpy(FRONT)
    fragments = rasterize(vertices, both, pose, FOV, size)
    picture = antialias(interpolate(colors, both, fragments), fragments, vertices, both, pose, FOV)
    row = picture[size // 2]
    edge = 0.333 * focal(size) / (RADIUS - 0.5) + size / 2  # in pixels from the left
    part = edge - int(edge)
    assert row[int(edge), 0].item() == pytest.approx(part, abs=1e-3)
    assert torch.allclose(row.sum(dim=1), torch.ones(size), atol=1e-5)  # red gives way to blue, nothing else
    hidden = torch.cat([colors[4:], colors[:4]])  # the far square's own outline lies outside the picture
    assert torch.allclose(
        antialias(interpolate(hidden, both, fragments), fragments, vertices, both, pose, FOV)[..., 0],
        1 - picture[..., 0],
        atol=1e-5,
    )


def test_a_hidden_silhouette_leaves_no_trace() -> None:
    front, faces = square(0.5, (-0.9, -0.9), (0.9, 0.9))
    behind, _ = square(-0.5, (-0.3, -0.3), (0.3, 0.3))
    vertices = torch.from_numpy(np.concatenate([front, behind])).requires_grad_(True)
    both = torch.from_numpy(np.concatenate([faces, faces + 4]))
    mask_of(vertices, both, torch.from_numpy(FRONT), 48).square().sum().backward()
    assert vertices.grad is not None
    assert (vertices.grad[4:] == 0).all() and (vertices.grad[:4].abs().sum() > 1)


def test_vertices_behind_the_camera_keep_gradients_finite() -> None:
    vertices, faces = (torch.from_numpy(a) for a in square(0.0, (-0.3, -0.3), (0.3, 0.3)))
    more = torch.cat(
        [vertices, torch.tensor([[RADIUS, 0.0, 0.0], [9.0, 1.0, 0.0], [2.0, 0.1, 0.1]])]
    ).requires_grad_(True)
    both = torch.cat([faces, torch.tensor([[4, 5, 6]], dtype=faces.dtype)])
    drawn = render_mesh(more, both, torch.from_numpy(FRONT), FOV, 24, color=more)
    (drawn.rgb.sum() + drawn.depth.sum() + drawn.normal.sum()).backward()
    assert more.grad is not None and torch.isfinite(more.grad).all()


def test_render_mesh_of_a_ball() -> None:
    vertices, faces = BALL
    centre = torch.tensor([0.013, -0.021, 0.017])
    drawn = render_mesh(vertices, faces, POSES, FOV, 96, color=lambda points: points * 0.5 + 0.5)
    seen = drawn.fragments.mask
    assert drawn.rgb.shape == (3, 96, 96, 3) and drawn.mask.shape == (3, 96, 96)
    assert drawn.rgb[:, 0, 0].eq(1).all() and drawn.depth[:, 0, 0].eq(0).all()
    inner = drawn.mask > 0.999
    points = interpolate(vertices, faces, drawn.fragments)
    assert (drawn.rgb - (points * 0.5 + 0.5))[inner & seen].abs().max() < 2e-3
    outward = torch.nn.functional.normalize(points[seen] - centre, dim=-1)
    assert (drawn.normal[seen] * outward).sum(dim=-1).quantile(0.01) > 0.99
    assert (vertex_normals(vertices, faces.long()).norm(dim=1) - 1).abs().max() < 1e-5


def test_fitting_by_silhouettes_alone_recovers_a_size() -> None:
    """Gradient descent on a mask loss: what the silhouette gradients are for."""
    points, triangles = BALL
    pose = POSES[1]
    target = mask_of(points * 0.8, triangles, pose, 40)
    scale = torch.tensor(1.0, requires_grad=True)
    optimizer = torch.optim.Adam([scale], lr=0.04)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
    for _ in range(40):
        optimizer.zero_grad()
        (mask_of(points * scale, triangles, pose, 40) - target).square().mean().backward()
        optimizer.step()
        schedule.step()
    assert scale.item() == pytest.approx(0.8, abs=0.005)


def test_engines_that_are_not_there_are_named() -> None:
    vertices, faces = BALL
    if importlib.util.find_spec("nvdiffrast") is None:
        with pytest.raises(ConfigError, match="nvdiffrast"):
            rasterize(vertices, faces, POSES, FOV, 16, engine="nvdiffrast")
    with pytest.raises(ConfigError, match="opengl"):
        rasterize(vertices, faces, POSES, FOV, 16, engine="opengl")  # type: ignore[arg-type]
