"""``geco data objaverse``: download objects of Objaverse 1.0 (its LVIS subset by default)."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from geco.errors import ConfigError


def add(commands: Any) -> None:
    """Add the command's arguments."""
    command: argparse.ArgumentParser = commands.add_parser(
        "objaverse",
        help="download Objaverse objects with their licences and hashes",
        description="The LVIS subset of Objaverse 1.0, or the uids of a file. Non-commercial and "
        "no-derivatives licences are left "
        "out unless asked for. The same command goes on where it was stopped; manifest.json lists what "
        "came and what was left out.",
        epilog="Example: geco data objaverse -o objaverse --limit 1000",
    )
    command.add_argument(
        "-o", "--output", required=True, type=Path, metavar="DIR", help="the folder to write"
    )
    command.add_argument(
        "--limit", type=int, metavar="N", help="the first N objects that pass the filters (default: all)"
    )
    command.add_argument(
        "--uids", type=Path, metavar="FILE", help="a text file, one uid a line (default: the LVIS subset)"
    )
    command.add_argument(
        "--licences", default="cc0,by,by-sa", metavar="CODES", help="taken, by code (default: cc0,by,by-sa)"
    )
    command.add_argument(
        "--max-size", type=float, default=100, metavar="MIB", help="larger files are left out (default: 100)"
    )
    command.add_argument(
        "--workers", type=int, default=8, metavar="N", help="downloads at a time (default: 8)"
    )
    command.add_argument(
        "--url",
        metavar="BASE",
        help="a mirror of the data set's files (default: the hub, with HF_TOKEN, HF_ENDPOINT, its cache)",
    )
    command.set_defaults(function=objaverse)


def objaverse(options: argparse.Namespace) -> int:
    """Download, then say what came and why the rest did not."""
    import json
    from collections import Counter

    from geco.data.objaverse import Selection, download

    uids = None
    if options.uids is not None:
        try:
            uids = [
                line.strip().removesuffix(".glb")
                for line in options.uids.read_text().splitlines()
                if line.strip()
            ]
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"cannot read {options.uids}: {error}", "Give a text file with one uid a line."
            ) from error
    licences = tuple(code.strip() for code in options.licences.split(",") if code.strip())
    selection = Selection(uids, options.limit, licences, int(options.max_size * (1 << 20)))
    manifest = download(
        options.output, selection, base_url=options.url, workers=options.workers, progress=True
    )
    content = json.loads(manifest.read_text())
    print(
        f"{manifest}: {len(content['objects'])} objects, "
        f"{sum(entry['bytes'] for entry in content['objects']) / 1e6:.1f} MB"
    )
    for reason, count in sorted(Counter(content["skipped"].values()).items()):
        print(f"  left out, {reason}: {count}")
    return 0
