"""``geco cameras``: the poses and lenses of a rig, so that nobody has to guess them."""

from __future__ import annotations

import argparse
import json
from typing import Any


def add(commands: Any) -> None:
    """Add the command's arguments."""
    command: argparse.ArgumentParser = commands.add_parser("cameras", help="print the cameras of a view rig")
    command.add_argument(
        "--rig", default="zero123plus-v1.2", help="rig name (default: zero123plus-v1.2; see --list)"
    )
    command.add_argument("--list", action="store_true", help="list the known rigs")
    command.add_argument(
        "--json", action="store_true", help="one JSON object with c2w matrices, intrinsics and conventions"
    )
    command.set_defaults(function=show)


def show(options: argparse.Namespace) -> int:
    """Print the rig as a table or as JSON."""
    from geco import cameras

    if options.list:
        for rig in cameras.RIGS.values():
            print(f"{rig.name:20} {len(rig.azimuths)} views, FOV {rig.fov:g}, radius {rig.radius:g}")
        return 0
    rig = cameras.rig(options.rig)
    if options.json:
        print(json.dumps(describe(rig)))
        return 0
    print(
        f"{rig.name}: FOV {rig.fov:g} degrees, distance {rig.radius:g}, world z up, the input camera at "
        f"azimuth 0 on +x"
    )
    print("view  azimuth  elevation        x        y        z")
    for index, (azimuth, elevation, pose) in enumerate(zip(rig.azimuths, rig.elevations, rig.poses())):
        x, y, z = pose[:3, 3]
        print(f"{index:4} {azimuth:8g} {elevation:10g} {x:8.3f} {y:8.3f} {z:8.3f}")
    return 0


def describe(rig: Any) -> dict[str, Any]:
    """A rig as plain data."""
    from geco import cameras

    return {
        "rig": rig.name,
        "fov_degrees": rig.fov,
        "radius": rig.radius,
        "azimuth_degrees": list(rig.azimuths),
        "elevation_degrees": list(rig.elevations),
        "c2w": rig.poses().tolist(),
        "intrinsics_normalised": cameras.intrinsics(rig.fov).tolist(),
        "conventions": "world z up; camera x right, y up, looks along -z; azimuth 0 on +x, 90 on +y, "
        "relative to the input",
    }
