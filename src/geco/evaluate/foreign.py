"""Meshes that another program made: found by the object's name, read, and brought into the truth's frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from geco.cameras import INPUT_FOV
from geco.data.objects import SUFFIXES, Limits, TexturedObject, load_object
from geco.data.objects.find import plain_name
from geco.data.objects.storage import is_regular
from geco.data.render import Light, lens, render_views
from geco.errors import MeshError
from geco.evaluate.scores import MeshArrays
from geco.evaluate.truth import INPUT_SIZE, CameraSet, Truth, camera_sets, on_white
from geco.metrics.align import Alignment, apply, candidates
from geco.metrics.images import psnr
from geco.types import Floats

LIGHTS = {"bare": Light(ambient=1.0, hemisphere=0.0), "target": Light()}
LIKENESS_SIZE = INPUT_SIZE // 4  # pixels that poses are compared at
ReadMesh = Callable[[Path, Path], TexturedObject]  # of a file and a folder above it
POSES = 8  # different poses that are compared by their pictures
# Poses whose surface lies this near to the best one's may be told apart by colour only (a can, a box):
# residual below 1.5 best + 0.005 longest sides. Own choice.
CLOSE = (1.5, 0.005)


@dataclass(frozen=True)
class Foreign:
    """A mesh in the truth's coordinates, and how it came there (for the row)."""

    object: TexturedObject
    alignment: dict[str, Any]

    def render(self, cameras: CameraSet, size: int, light: str) -> tuple[Floats, Floats]:
        """Pictures on white (N, S, S, 3) and coverage (N, S, S)."""
        lenses = lens(cameras.fov, len(cameras.poses))
        return on_white(render_views(self.object, cameras.poses, lenses, size, LIGHTS[light]).rgba)


def find_mesh(folder: Path, names: Sequence[str]) -> Path | None:
    """The file that belongs to an object, by the object's names, the most telling one first.

    A file is called by its path below ``folder`` without its ending, by its stem, or by its folder where that
    holds one mesh (``KEY/mesh.obj``); case and punctuation do not matter. Of one mesh in two formats the
    first is taken.

    Raises:
        MeshError: a name that several files in different folders have.
    """
    files = [
        path for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES and is_regular(path)
    ]
    called: list[dict[str, list[Path]]] = [{}, {}, {}]
    for path in files:
        for level, name in zip(called, (path.relative_to(folder).with_suffix("").as_posix(), path.stem)):
            level.setdefault(plain_name(name), []).append(path)
        if path.parent != folder:
            called[2].setdefault(plain_name(path.parent.name), []).append(path)
    for name in names:
        for level in called:
            found = level.get(plain_name(name), [])
            if level is called[2] and len(found) > 1:
                continue
            if len({path.with_suffix("") for path in found}) > 1:
                shown = ", ".join(path.relative_to(folder).as_posix() for path in found[:3])
                raise MeshError(
                    f"{folder.name} has several meshes called {name} ({shown})", "Name them as the objects."
                )
            if found:
                return found[0]
    return None


def read_mesh(path: Path, root: Path) -> TexturedObject:
    """A mesh below ``root``, whatever its colours. Raises ObjectError."""
    return load_object(path, Limits(allow_untextured=True), root=root)


def align_mesh(
    path: Path, truth: Truth, light: str, root: Path | None = None, read: ReadMesh = read_mesh
) -> Foreign:
    """Read a mesh of any scale, axes and origin, and lay it onto the truth.

    The poses come from the two surfaces (:func:`geco.metrics.align.candidates`); among those that fit about
    equally well the one is taken whose picture from the INPUT camera is most like the input picture. No
    evaluated view is looked at.

    Args:
        root: files that the mesh names may lie below it; by default in its own folder.
        read: reads it; by default in this process, unbounded in time.

    Raises:
        ObjectError: the file cannot be used. MeshError: a surface without area.
    """
    # Only the numbers of the file matter here, whatever axis its format means by them: the search finds the
    # rotation.
    loaded = read(path, root or path.parent)
    found, record = search_pose(
        (loaded.vertices, loaded.faces), truth, lambda pose: _drawn(_placed(loaded, pose), light)
    )
    matrix = found.matrix @ loaded.transform  # the file's own coordinates -> the truth's
    scale = float(np.cbrt(np.linalg.det(matrix[:3, :3])))
    record |= {"matrix": matrix.tolist(), "scale": scale, "file": path.name}
    return Foreign(_placed(loaded, found), record)


def search_pose(
    mesh: MeshArrays, truth: Truth, draw: Callable[[Alignment], Floats]
) -> tuple[Alignment, dict[str, Any]]:
    """The pose by surfaces, and by the input picture where several fit about equally well; and its record for
    the row.

    Args:
        mesh: (vertices (V, 3), faces (F, 3)).
        draw: the input camera's picture of the mesh in a pose, (LIKENESS_SIZE, LIKENESS_SIZE, 3) on white.
    """
    found = candidates(mesh, truth.mesh, POSES, "search")
    limit = CLOSE[0] * found[0].residual + CLOSE[1]
    close = [pose for pose in found if pose.residual <= limit]
    target, _ = on_white(truth.input)
    step = INPUT_SIZE // LIKENESS_SIZE
    small = target.reshape(LIKENESS_SIZE, step, LIKENESS_SIZE, step, 3).mean(axis=(1, 3))
    likeness = [float(psnr(draw(pose), small)) for pose in close]
    best = int(np.argmax(likeness))
    facts = {"poses_compared": len(close), "rank": best, "input_psnr": round(likeness[best], 3)}
    return close[best], close[best].record() | facts


def _placed(loaded: TexturedObject, pose: Alignment) -> TexturedObject:
    return replace(loaded, vertices=apply(pose.matrix, loaded.vertices).astype(np.float32))


def _drawn(placed: TexturedObject, light: str) -> Floats:
    camera = camera_sets()["input"]
    return on_white(
        render_views(placed, camera.poses, lens(INPUT_FOV, 1), LIKENESS_SIZE, LIGHTS[light]).rgba[0]
    )[0]
