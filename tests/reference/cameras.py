"""Cameras against InstantMesh's camera utilities: poses, 16- and 25-number vectors, intrinsics.
Bound 1e-6.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from geco import cameras
from tests.reference.result import Result, largest_error

BOUND = 1e-6
_CIRCULAR = re.compile(r"circular_(c2w|w2c|render25)_M(\d+)_r([\d.]+)_e(-?[\d.]+)")
_RIG = re.compile(r"c2w_(v1_\d)_r([\d.]+)")
_INPUT = re.compile(r"input16_r([\d.]+)_fov([\d.]+)")
_INTRINSICS = re.compile(r"intrinsics_fov([\d.]+)")
_EXTRA = re.compile(r"azimuths (\[.*?\]) elevations (\[.*?\]) radius ([\d.]+)")


def run(tensors: dict[str, np.ndarray], meta: dict[str, Any]) -> Iterator[Result]:
    """Every tensor is recomputed from the settings in its name or its description."""
    for name, reference in tensors.items():
        ours = _recompute(name, meta)
        yield Result(name, largest_error(ours, reference), BOUND)


def _recompute(name: str, meta: dict[str, Any]) -> Any:
    if match := _CIRCULAR.fullmatch(name):
        kind, count, radius, elevation = match[1], int(match[2]), float(match[3]), float(match[4])
        poses = cameras.circular_poses(count, radius, elevation)
        if kind == "c2w":
            return poses
        return cameras.invert(poses) if kind == "w2c" else cameras.render_vectors(poses, _fov(meta, name))
    if match := _RIG.fullmatch(name):
        return cameras.rig(f"zero123plus-{match[1].replace('_', '.')}").poses(float(match[2]))
    if match := _INPUT.fullmatch(name):
        poses = cameras.ZERO123PLUS_V12.poses(float(match[1]))
        return cameras.camera_vectors(poses, float(match[2]))[None]
    if match := _INTRINSICS.fullmatch(name):
        return cameras.intrinsics(float(match[1]))
    described = _EXTRA.search(meta["tensors"][name]["desc"])
    if described is None:
        raise ValueError(f"no setting found for {name}")
    azimuths, elevations = (np.array(eval_list(described[i])) for i in (1, 2))
    return cameras.orbit_poses(azimuths, elevations, float(described[3]))


def eval_list(text: str) -> list[float]:
    """'[0, 45]' -> [0.0, 45.0]."""
    return [float(x) for x in text.strip("[]").split(",")]


def _fov(meta: dict[str, Any], name: str) -> float:
    found = re.search(r"fov ([\d.]+)", meta["tensors"][name].get("desc", ""))
    return (
        float(found[1])
        if found
        else float(meta.get("instantmesh_video", {}).get("fov_deg", cameras.INPUT_FOV))
    )
