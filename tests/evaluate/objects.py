"""Small objects without symmetry, written as GLB from scratch, and the same in another program's
scale, axes and place.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.data.glb import GlbWriter, box

# x, y, z of the size and the centre in glTF axes, and the colour, of each box: nothing of it repeats under a
# turn
_BOXES = (
    ((1.0, 0.4, 0.6), (0.0, 0.0, 0.0), (200, 60, 40)),
    ((0.2, 0.8, 0.2), (0.3, 0.5, 0.1), (40, 90, 200)),
    ((0.3, 0.2, 0.5), (-0.5, 0.2, 0.4), (60, 170, 70)),
)


def geometry(stretch: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices (V, 3) y up, faces (F, 3), colours (V, 4) uint8 (alpha 255)."""
    vertices, faces, colors = [], [], []
    for size, center, color in _BOXES:
        corners, triangles = box((size[0] * stretch, size[1], size[2]))
        faces.append(triangles + 8 * len(vertices))
        vertices.append(corners + np.array(center, np.float32) * [stretch, 1, 1])
        colors.append(np.tile(np.array([*color, 255], np.uint8), (8, 1)))
    return np.concatenate(vertices).astype(np.float32), np.concatenate(faces), np.concatenate(colors)


def write_object(path: Path, stretch: float = 1.0) -> Path:
    """A coloured object as GLB."""
    vertices, faces, colors = geometry(stretch)
    writer = GlbWriter()
    writer.mesh(vertices, faces, colors=colors, material=writer.material())
    path.parent.mkdir(parents=True, exist_ok=True)
    return writer.save(path)


def write_foreign(
    path: Path, yaw: float, scale: float, shift: tuple[float, float, float], stretch: float = 1.0
) -> Path:
    """The same object z up, turned about z, scaled and moved, as PLY with vertex colours (text,
    from scratch).
    """
    vertices, faces, colors = geometry(stretch)
    world = vertices[:, [2, 0, 1]]
    c, s = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    placed = world @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]).T * scale + shift
    head = [
        "ply",
        "format ascii 1.0",
        f"element vertex {len(placed)}",
        *(f"property float {axis}" for axis in "xyz"),
    ]
    head += [*(f"property uchar {c}" for c in ("red", "green", "blue")), f"element face {len(faces)}"]
    head += ["property list uchar int vertex_indices", "end_header"]
    # glTF's vertex colours are linear, a PLY's are sRGB
    linear = colors[:, :3] / 255
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    lines = [
        f"{x} {y} {z} {r} {g} {b}" for (x, y, z), (r, g, b) in zip(placed, np.round(srgb * 255).astype(int))
    ]
    lines += [f"3 {a} {b} {c}" for a, b, c in faces]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*head, *lines]) + "\n")
    return path
