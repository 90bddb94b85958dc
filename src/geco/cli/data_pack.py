"""``geco data pack``: folders of objects as archives small enough to travel to another machine."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geco.cli.data_folders import find

if TYPE_CHECKING:
    from geco.data.pack import Packed


def add(commands: Any) -> None:
    """Add the command's arguments."""
    command: argparse.ArgumentParser = commands.add_parser(
        "pack",
        help="folders of objects as small archives, to render on another machine",
        description="Quantise geometry to 16 bits, reduce textures, and write archives (.tar.xz) of a "
        "bounded size. Unpack them with tar: each holds a folder that geco data render takes, with licences "
        "and authors in its manifest.",
        epilog="Example: geco data pack objects/ more/ -o packed/ --workers 2; on the other machine: "
        "for part in packed/*.tar.xz; do tar xf $part; done; geco data render objects-*/ -o shards/",
    )
    add_argument = command.add_argument
    add_argument("folders", nargs="+", type=Path, metavar="OBJECTS_DIR", help="folders of objects")
    add_argument("-o", "--output", type=Path, required=True, metavar="PACK", help="the folder of archives")
    add_argument("--part-mib", type=float, default=40.0, metavar="N", help="MiB of an archive (default: 40)")
    add_argument(
        "--texture-side", type=int, default=256, metavar="PX", help="of textures, at most (default: 256)"
    )
    add_argument(
        "--quality", type=int, default=85, metavar="Q", help="of WebP textures, 1 to 100 (default: 85)"
    )
    add_argument("--workers", type=int, default=1, metavar="N", help="processes (default: 1)")
    command.set_defaults(function=pack)


def pack(options: argparse.Namespace) -> int:
    """Pack; name what was refused, then say how large the archives are."""
    from tqdm import tqdm

    from geco.data.pack import pack_objects

    sources = [source for folder in find(options.folders, []) for source in folder]
    refused = 0
    with tqdm(total=len(sources), unit="object", disable=not sys.stderr.isatty()) as bar:

        def step(packed: Packed) -> None:
            nonlocal refused
            if packed.entry is None:
                refused += 1
                tqdm.write(f"geco: {packed.key} is left out: {packed.reason}", file=sys.stderr)
            bar.update()

        paths = pack_objects(
            sources,
            options.output,
            options.part_mib,
            options.texture_side,
            options.quality,
            options.workers,
            step,
        )
    for path in paths:
        print(f"{path}  {path.stat().st_size / 2**20:.1f} MiB")
    print(f"{len(sources) - refused} objects, {refused} left out")
    return 0
