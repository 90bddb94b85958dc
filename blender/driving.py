"""What the checks of ``inside.py`` drive Blender with: runs of the extension, reports, measures of meshes."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bpy
import numpy as np

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def run(*names: str, **more: Any) -> list[Any]:
    """Objects made of examples, in an empty scene; choices as keywords."""
    clear()
    settings = bpy.context.scene.geco
    for key, value in more.items():
        setattr(settings, key, value)
    before = set(bpy.data.objects)
    with quiet():
        bpy.ops.geco.from_files(directory=f"{EXAMPLES}/", files=[{"name": name} for name in names])
    return sorted(set(bpy.data.objects) - before, key=lambda one: one.location.x)


def clear() -> None:
    """No objects, all choices as at first."""
    bpy.data.batch_remove([*bpy.data.objects, *bpy.data.collections, *bpy.data.meshes, *bpy.data.images])
    bpy.context.scene.cursor.location = (0, 0, 0)
    settings = bpy.context.scene.geco
    for name in type(settings).__annotations__:
        settings.property_unset(name)


@contextlib.contextmanager
def quiet() -> Iterator[io.StringIO]:
    """What operators print as their reports, and Blender itself beside Python."""
    told, own = io.StringIO(), os.dup(1)
    with tempfile.TemporaryFile() as taken:
        os.dup2(taken.fileno(), 1)
        try:
            with contextlib.redirect_stdout(told):
                yield told
        finally:
            os.dup2(own, 1)
            os.close(own)


def refusal(call: Callable[[], Any]) -> str:
    """The one line that a call ends with."""
    try:
        with quiet():
            call()
    except RuntimeError as error:
        line = str(error).strip()
        assert "\n" not in line and "Traceback" not in line, line
        return line
    raise AssertionError("it went well")


def bad_edges(mesh: Any) -> int:
    """Edges that have not just two faces."""
    corners = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("edge_index", corners)
    return int((np.bincount(corners, minlength=len(mesh.edges)) != 2).sum())


def positions(mesh: Any) -> Any:
    """(V, 3) float32."""
    flat = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", flat)
    return flat.reshape(-1, 3)


def shape_in(mask: Any, size: int = 40) -> Any:
    """(size, size) bool: what is inside of a mask (H, W), its bounding box stretched to a square."""
    rows, columns = np.nonzero(mask)
    places = [(x - x.min()) * size // (np.ptp(x) + 1) for x in (rows, columns)]
    found = np.zeros((size, size), bool)
    found[places[0], places[1]] = True
    return found
