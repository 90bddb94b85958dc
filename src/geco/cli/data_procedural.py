"""``geco data procedural``: a folder of procedural objects, by seed."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from geco.errors import ConfigError


def add(commands: Any) -> None:
    """Add the command's arguments."""
    command: argparse.ArgumentParser = commands.add_parser(
        "procedural",
        help="make a folder of procedural objects (GLB, CC0), by seed",
        description="Textured objects made of bent, twisted and stacked primitives, for machines without "
        "data. Object i depends "
        "on (seed, i) only; files that are there already are kept, so a stopped run goes on.",
        epilog="Example: geco data procedural -o objects --count 1000 --seed 0 --workers 4",
    )
    command.add_argument(
        "-o", "--output", required=True, type=Path, metavar="DIR", help="the folder to write"
    )
    command.add_argument("--count", type=int, default=100, metavar="N", help="objects in all (default: 100)")
    command.add_argument("--seed", type=int, default=0, metavar="S", help="of the whole set (default: 0)")
    command.add_argument("--workers", type=int, default=1, metavar="N", help="processes (default: 1)")
    command.set_defaults(function=procedural)


def procedural(options: argparse.Namespace) -> int:
    """Write the objects and the manifest, then say what is there."""
    import json

    from geco.data.procedural import write_objects

    if options.output.exists() and not options.output.is_dir():
        raise ConfigError(f"{options.output} is not a folder", "Choose a folder with -o.")
    manifest = write_objects(options.output, options.count, options.seed, options.workers, progress=True)
    objects = json.loads(manifest.read_text())["objects"]
    faces = sum(entry["faces"] for entry in objects) / len(objects)
    size = sum(entry["bytes"] for entry in objects) / len(objects)
    print(
        f"{manifest}: {len(objects)} objects, {faces:.0f} faces and {size / 1000:.0f} kB on average, CC0-1.0"
    )
    return 0
