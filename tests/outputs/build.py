"""Meshes whose content is one colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from geco.cli.pictures import Given
from geco.mesh import Mesh
from geco.outputs import Wanted, plan
from tests.outputs.folders import PNG


def coloured(colour: int, count: int = 4) -> Mesh:
    """Loose triangles with a texture of one grey; the geometry differs with it too."""
    rng = np.random.default_rng(colour)
    vertices, uvs = rng.random((3 * count, 3), np.float32), rng.random((3 * count, 2), np.float32)
    faces = np.arange(3 * count, dtype=np.int32).reshape(-1, 3)
    return Mesh(vertices, faces, uvs=uvs, texture=np.full((64, 64, 3), colour, np.uint8))


def pictures(folder: Path, *names: str) -> list[Given]:
    """Files that differ, and are pictures as far as the finding of them looks."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if not (folder / name).exists():
            (folder / name).write_bytes(PNG + name.encode("utf-8", "surrogateescape"))
    return [Given(folder / name) for name in names]


def meshes(found: list[Given], **wanted: object) -> list[str]:
    """Names of the meshes of a plan."""
    return [output.mesh.name for job in plan(found, Wanted(**wanted)) for output in job.outputs]
