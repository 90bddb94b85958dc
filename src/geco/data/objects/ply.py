"""PLY through trimesh, after a look at its header: z up, vertex or face colours, no textures."""

from __future__ import annotations

import io
import logging
import re
from typing import Any

import numpy as np

from geco.data.objects.folder import Folder
from geco.data.objects.limits import Limits
from geco.data.objects.refusal import ObjectError, Reason
from geco.data.objects.soup import FAINTEST, Soup, SoupPart
from geco.errors import MissingExtraError

_HEADER_BYTES = 64 << 10
_SIZES = {"char": 1, "uchar": 1, "short": 2, "ushort": 2, "int": 4, "uint": 4, "float": 4, "double": 8}
_SIZES |= {
    "int8": 1,
    "uint8": 1,
    "int16": 2,
    "uint16": 2,
    "int32": 4,
    "uint32": 4,
    "float32": 4,
    "float64": 8,
}


def read_ply(folder: Folder) -> Soup:
    """Faces of a PLY file; a point cloud has none and is refused as empty."""
    limits, size = folder.limits, folder.size(folder.own)
    with folder.open(folder.own) as file:
        head, mark, _ = file.read(_HEADER_BYTES).partition(b"end_header")
    if not mark or not head.startswith(b"ply"):
        raise ObjectError(Reason.BROKEN, f"{folder.name}: no PLY header")
    counts, least = _announced(head.decode("latin-1"))
    if counts.get("face", 0) > limits.faces:
        raise ObjectError(
            Reason.TOO_MANY_FACES, f"{folder.name}: {counts['face']} faces, more than {limits.faces}"
        )
    if max(counts.values(), default=0) > 3 * limits.faces:
        raise ObjectError(Reason.TOO_LARGE, f"{folder.name}: {max(counts.values())} elements of a kind")
    if len(head) + least > size:
        raise ObjectError(
            Reason.BROKEN, f"{folder.name}: truncated, {size} of at least {len(head) + least} bytes"
        )
    return _soup(folder.read(folder.own), folder.name, limits)


def _announced(head: str) -> tuple[dict[str, int], int]:
    """Elements by name, and the fewest bytes that all of them take."""
    counts: dict[str, int] = {}
    least, each, current = 0, 0, ""
    text = "format ascii" in head
    for words in (line.split() for line in [*re.split(r"[\r\n]+", head), "element end 0"]):
        if words[:1] == ["element"] and len(words) == 3:
            least += counts.get(current, 0) * max(each, 1)  # nothing has no bytes at all
            current, each = words[1], 0
            counts[current] = int(words[2])
            if counts[current] < 0:
                raise ValueError("a negative count of elements")
        elif words[:1] == ["property"] and len(words) >= 3:
            each += 2 if text else _SIZES[words[2] if words[1] == "list" else words[1]]
    return counts, least


def _soup(data: bytes, name: str, limits: Limits) -> Soup:
    try:
        import trimesh
    except ImportError as error:
        raise MissingExtraError("trimesh", "data", "reading PLY files") from error
    log = logging.getLogger("trimesh")
    level = log.level
    log.setLevel(logging.CRITICAL)  # it talks to the terminal of what it cannot read
    try:
        # From memory: trimesh then has no folder in which it could look for other files.
        mesh: Any = trimesh.load(io.BytesIO(data), file_type="ply", process=False)
    except Exception as error:  # a foreign parser on hostile bytes raises anything
        if isinstance(error, MemoryError):
            raise
        raise ObjectError(
            Reason.BROKEN, f"{name}: broken ({type(error).__name__}: {str(error)[:200]})"
        ) from error
    finally:
        log.setLevel(level)
    soup = Soup(up="z")
    faces = np.asarray(getattr(mesh, "faces", np.zeros((0, 3), int)))
    if not len(faces):
        return soup
    if len(faces) > limits.faces:
        raise ObjectError(Reason.TOO_MANY_FACES, f"{name}: {len(faces)} faces, more than {limits.faces}")
    positions = np.asarray(mesh.vertices, np.float64)
    if faces.min() < 0 or faces.max() >= len(positions):
        raise ObjectError(Reason.BROKEN, f"{name}: face indices beyond the vertices")
    colors = np.ones((len(positions), 4), np.float32)
    if mesh.visual.kind == "vertex":
        colors, soup.colored = _unit(mesh.visual.vertex_colors), True
    elif mesh.visual.kind == "face":
        colors, soup.colored = np.repeat(_unit(mesh.visual.face_colors), 3, axis=0), True
        positions, faces = positions[faces].reshape(-1, 3), np.arange(faces.size).reshape(-1, 3)
    material = soup.add_material(cutoff=FAINTEST)
    nowhere = np.zeros((len(positions), 2), np.float32)
    soup.parts.append(SoupPart(positions, faces, nowhere, colors[:, :3], material, colors[:, 3]))
    return soup


def _unit(colors: Any) -> np.ndarray:
    """(N, 4) in [0, 1]."""
    return (np.asarray(colors)[:, :4] / 255).astype(np.float32)
