"""The 30 Google Scanned Objects of SyncDreamer's evaluation, on which GECO's table 1 is measured: names and
orientations.

Sources:
- The 30 names: HarmonyView's README (its evaluation loop over SyncDreamer's ``gso-eval``); two more public
  projects list the same.
- The angles: ``get_gt_rotate_angle`` and ``transform_gt`` of SyncDreamer's ``eval_mesh.py`` (commit eb41a0c).
- The camera: SyncDreamer's ``blender_script.py``, ``--camera_type fixed``: azimuth 0 on +x, z up, elevation
  30, distance 1.5.
- The one full name: ``eval_examples/chicken-mesh/model.config`` of SyncDreamer.

Not verified: which model of the public collection stands behind the other 29 names. SyncDreamer hands out the
meshes under these short names (``gso-eval-meshes.zip``, linked in its README) and publishes no list; a guess
by the look of a name would compare numbers on another object. So ``model`` is None there, and
:func:`find_meshes` looks for the short names.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from geco.errors import ConfigError
from geco.types import Doubles

LICENCE = "CC-BY-4.0"  # metadata.pbtxt of every Google Scanned Object
COLLECTION = (
    "https://app.gazebosim.org/GoogleResearch/fuel/collections/Scanned%20Objects%20by%20Google%20Research"
)
ELEVATION = 30.0  # degrees, of SyncDreamer's input view (azimuth 0)
VIEWS = 16  # of its evaluation: azimuths 0, 22.5, ... at that elevation


@dataclass(frozen=True)
class EvaluationObject:
    """One object of the table.

    Attributes:
        name: SyncDreamer's short name (its spelling).
        model: the model's name in the public collection; None: not published, not verified.
        angle: degrees, see :func:`rotation`.
    """

    name: str
    model: str | None
    angle: float


_ANGLES = {
    **dict.fromkeys(("alarm", "backpack", "blocks", "chicken", "grandfather", "grandmother"), 270.0),
    **dict.fromkeys(("lion", "lunch_bag", "mario", "oil", "soap"), 270.0),
    **dict.fromkeys(("school_bus2", "shoe", "train", "turtle"), 225.0),
    **dict.fromkeys(("elephant", "school_bus1"), 180.0),
    "sorter": 112.5,
    "sofa": -90.0,
}
_MODELS = {"chicken": "CHICKEN_NESTING"}
_NAMES = (
    *(
        "alarm",
        "backpack",
        "bell",
        "blocks",
        "chicken",
        "cream",
        "elephant",
        "grandfather",
        "grandmother",
        "hat",
    ),
    *("leather", "lion", "lunch_bag", "mario", "oil", "school_bus1", "school_bus2", "shoe", "shoe1", "shoe2"),
    *(
        "shoe3",
        "soap",
        "sofa",
        "sorter",
        "sorting_board",
        "stucking_cups",
        "teapot",
        "toaster",
        "train",
        "turtle",
    ),
)
OBJECTS = {name: EvaluationObject(name, _MODELS.get(name), _ANGLES.get(name, 0.0)) for name in _NAMES}


def orientation(name: str) -> float:
    """The angle of the object, degrees: its scan is turned by MINUS this about z to stand as in SyncDreamer's
    pictures.

    Raises:
        ConfigError: not one of the 30 names.
    """
    if name not in OBJECTS:
        raise ConfigError(f"{name!r} is none of SyncDreamer's 30 objects", f"They are: {', '.join(OBJECTS)}.")
    return OBJECTS[name].angle


def rotation(name: str) -> Doubles:
    """(3, 3): from the scan's own axes (z up, as its OBJ file has them) to our world, where the input camera
    is on +x.

    SyncDreamer's evaluation turns by ``-angle`` about z, and its first camera (the input view) is on +x with
    z up as ours is.
    """
    turn = np.radians(-orientation(name))
    return np.array([[np.cos(turn), -np.sin(turn), 0.0], [np.sin(turn), np.cos(turn), 0.0], [0.0, 0.0, 1.0]])


def find_meshes(folder: str | Path) -> dict[str, Path]:
    """Meshes of a folder by SyncDreamer's names: ``NAME/meshes/model.obj`` (as unpacked from its archive),
    ``NAME-mesh/...`` (as in its repository), ``NAME.EXT``, or the public model's name where that is known.

    Returns:
        name to path, for the names that are there, in the table's order.

    Raises:
        ConfigError: no such folder, or none of the 30 in it.
    """
    root = Path(folder)
    if not root.is_dir():
        raise ConfigError(
            f"{root} is not a folder", "Unpack SyncDreamer's gso-eval-meshes.zip and name its folder."
        )
    found: dict[str, Path] = {}
    for name, entry in OBJECTS.items():
        stems = [name, f"{name}-mesh", *([entry.model] if entry.model else [])]
        places = [root / stem / "meshes" / "model.obj" for stem in stems] + [
            root / stem / "model.obj" for stem in stems
        ]
        places += [root / f"{stem}{suffix}" for stem in stems for suffix in (".glb", ".gltf", ".obj", ".ply")]
        first = next((place for place in places if place.is_file()), None)
        if first is not None:
            found[name] = first
    if not found:
        raise ConfigError(
            f"none of SyncDreamer's 30 objects is in {root}",
            "Unpack its gso-eval-meshes.zip (linked in its README) there.",
        )
    return found
