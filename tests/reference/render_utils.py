"""Volume rendering helpers, plane look-up, voxel grids and the foreground crop. Bounds: 2e-5; grids and crops
exact.

Settings are read from shapes and descriptions; ``fgN`` are InstantMesh's resize_foreground on uint8 pictures.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.reference.result import Result, largest_error

BOUND = 2e-5
EXACT = 0.0
AXIS_BOUND = 1e-7  # one rounding of a coordinate below 1/2


def run(tensors: dict[str, np.ndarray], meta: dict[str, Any]) -> Iterator[Result]:
    """Every group of tensors present."""
    groups = {name.split(".")[0] for name in tensors}
    for group in sorted(groups):
        inside = {
            name.split(".", 1)[1]: value for name, value in tensors.items() if name.split(".")[0] == group
        }
        runner = _RUNNERS.get(re.sub(r"\d+$", "", group))
        if runner is None:
            raise ValueError(f"no case is known for tensors {group}.*")
        for result in runner(group, inside, tensors, meta):
            yield Result(f"{group}.{result.case}", result.error, result.bound)


def _box(
    group: str, own: dict[str, np.ndarray], tensors: dict[str, np.ndarray], meta: dict[str, Any]
) -> Iterator[Result]:
    import torch

    from geco.reconstruct.instantmesh.volume import box_limits

    enter, leave = box_limits(torch.from_numpy(own["o"]), torch.from_numpy(own["d"]))
    yield Result("tmin", largest_error(enter, own["tmin"]), BOUND)
    yield Result("tmax", largest_error(leave, own["tmax"]), BOUND)


def _march(
    group: str, own: dict[str, np.ndarray], tensors: dict[str, np.ndarray], meta: dict[str, Any]
) -> Iterator[Result]:
    import torch

    from geco.reconstruct.instantmesh.volume import composite

    inputs = [torch.from_numpy(own[name]) for name in ("colors", "densities", "depths")]
    rgb, depth, weights = composite(*inputs)
    yield Result("rgb", largest_error(rgb, own["rgb"]), BOUND)
    yield Result("depth", largest_error(depth.clamp(inputs[2].min(), inputs[2].max()), own["depth"]), BOUND)
    yield Result("weights", largest_error(weights, own["weights"]), BOUND)
    if "rgb_black" in own:
        yield Result("rgb_black", largest_error(composite(*inputs, white=False)[0], own["rgb_black"]), BOUND)


def _importance(
    group: str, own: dict[str, np.ndarray], tensors: dict[str, np.ndarray], meta: dict[str, Any]
) -> Iterator[Result]:
    import torch

    from geco.reconstruct.instantmesh.volume import importance_depths

    depths, weights = (torch.from_numpy(tensors[f"march.{name}"]) for name in ("depths", "weights"))
    draws = torch.from_numpy(own["u"]).reshape(*depths.shape[:2], -1)
    yield Result("z", largest_error(importance_depths(depths, weights, draws), own["z"]), BOUND)


def _pdf(
    group: str, own: dict[str, np.ndarray], tensors: dict[str, np.ndarray], meta: dict[str, Any]
) -> Iterator[Result]:
    import torch

    from geco.reconstruct.instantmesh.volume import sample_pdf

    count = own["samples_det"].shape[-1]
    draws = torch.linspace(0, 1, count).expand(len(own["bins"]), count)
    ours = sample_pdf(torch.from_numpy(own["bins"]), torch.from_numpy(own["weights"]), draws)
    yield Result("samples_det", largest_error(ours, own["samples_det"]), BOUND)


def _planes(
    group: str, own: dict[str, np.ndarray], tensors: dict[str, np.ndarray], meta: dict[str, Any]
) -> Iterator[Result]:
    import torch

    from geco.reconstruct.triplane import project_to_planes, sample_planes

    points = torch.from_numpy(own["points"])
    yield Result(
        "features",
        largest_error(sample_planes(torch.from_numpy(own["planes"]), points), own["features"]),
        BOUND,
    )
    yield Result(
        "projections", largest_error(project_to_planes(points).flatten(0, 1), own["projections"]), BOUND
    )


def _grid(
    group: str, own: dict[str, np.ndarray], tensors: dict[str, np.ndarray], meta: dict[str, Any]
) -> Iterator[Result]:
    from geco.isosurface.grids import voxel_grid

    resolution = int(group.removeprefix("grid"))
    corners, cubes = voxel_grid(resolution)
    side = resolution + 1
    axes = corners.reshape(side, side, side, 3)
    for axis, along in enumerate((axes[:, 0, 0, 0], axes[0, :, 0, 1], axes[0, 0, :, 2])):
        yield Result(f"axis {'xyz'[axis]}", largest_error(along, own["axis"]), AXIS_BOUND)
    yield Result("cubes_head", largest_error(cubes[: len(own["cubes_head"])], own["cubes_head"]), EXACT)
    yield Result("cubes_tail", largest_error(cubes[-len(own["cubes_tail"]) :], own["cubes_tail"]), EXACT)
    start = len(cubes) // 3  # where the middle sample was taken
    yield Result(
        "cube_mid", largest_error(cubes[start : start + len(own["cube_mid"])], own["cube_mid"]), EXACT
    )
    stated = meta.get(group, {})
    counts = (stated.get("n_verts", len(corners)), stated.get("n_cubes", len(cubes)))
    yield Result("counts", largest_error([len(corners), len(cubes)], counts), EXACT)


def _foreground(
    group: str, own: dict[str, np.ndarray], tensors: dict[str, np.ndarray], meta: dict[str, Any]
) -> Iterator[Result]:
    from tests.reference.foreground import resize_foreground

    ratio = float(re.findall(r"ratio ([\d.]+)", meta["tensors"][f"{group}.in"]["desc"])[0])
    yield Result("out", largest_error(resize_foreground(own["in"], ratio), own["out"]), EXACT)


_RUNNERS = {
    "box": _box,
    "march": _march,
    "imp": _importance,
    "pdf": _pdf,
    "planes": _planes,
    "grid": _grid,
    "fg": _foreground,
}
