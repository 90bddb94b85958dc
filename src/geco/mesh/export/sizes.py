"""How large a mesh is in its file: metres, or millimetres in the formats that are printed."""

from __future__ import annotations

import math

import numpy as np

from geco.errors import ConfigError
from geco.mesh.types import Mesh

# STL has no unit and slicers read millimetres; 3MF names its unit, and millimetre is its default (core
# specification, 3.4).
MILLIMETRES = (".stl", ".3mf")
PRINTED = 0.1  # metres of the longest side where none is asked for: fits every printer's bed
SMALLEST, LARGEST = 1e-4, 1e4  # metres: a tenth of a millimetre to ten kilometres


def check_size(size: float | None) -> None:
    """Raise ConfigError for a longest side (metres) out of range; None asks for no size."""
    if size is not None and not (math.isfinite(size) and SMALLEST <= size <= LARGEST):
        raise ConfigError(
            f"size {size} is out of range",
            f"The longest side is in metres: choose {SMALLEST:g} to {LARGEST:g}.",
        )


def placed(
    mesh: Mesh, suffix: str, size: float | None, pivot: str = "center", measured: Mesh | None = None
) -> tuple[Mesh, dict[str, float | str]]:
    """The mesh where its origin shall be and in the units of its format, and these facts: "size" (its longest
    side), "unit", and "pivot" where it is not in the middle.

    Args:
        mesh: one world unit is one metre.
        suffix: of the format.
        size: longest side of the bounding box in metres; None keeps the mesh's own, or :data:`PRINTED` for
            printing.
        pivot: "center" leaves the origin where it is; "base" puts it under the middle of the box.
        measured: the mesh whose box decides on both; None: the mesh itself.

    Raises:
        ConfigError: a size out of range.
    """
    measured = measured or mesh
    if pivot == "base":
        low, high = measured.bounds.astype(np.float64)
        origin = np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]])
        moved = mesh.with_(vertices=(mesh.vertices - origin).astype(np.float32))
        found, facts = placed(moved, suffix, size, measured=measured)
        return found, {**facts, "pivot": pivot}
    check_size(size)
    printed = suffix in MILLIMETRES
    unit, units = ("millimetre", 1000.0) if printed else ("metre", 1.0)
    wanted = PRINTED if printed and size is None else size
    own = float(np.ptp(measured.vertices.astype(np.float64), axis=0).max())
    if wanted is None or own == 0:
        return mesh, {"size": round(own * units, 6), "unit": unit}
    vertices = (mesh.vertices.astype(np.float64) * (wanted * units / own)).astype(np.float32)
    return mesh.with_(vertices=vertices), {"size": round(wanted * units, 6), "unit": unit}
