"""``geco data info``: what is in a folder of shards, whether it is whole, and how it looks."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

from geco.errors import ConfigError, OutputError
from geco.marks import Source, mark_text
from geco.outputs import check_file

SHEET_OBJECTS, SHEET_VIEWS = 12, 16


def add(commands: Any) -> None:
    """Add the command's arguments."""
    command: argparse.ArgumentParser = commands.add_parser("info", help="show what is in a folder of shards")
    command.add_argument("shards", type=Path, metavar="SHARDS", help="a folder made by geco data render")
    command.add_argument("--json", action="store_true", help="one JSON object")
    command.add_argument("--check", action="store_true", help="verify every hash and decode every picture")
    command.add_argument(
        "--sheet", type=Path, metavar="FILE.png", help="write a contact sheet of a few objects"
    )
    command.add_argument(
        "--overwrite", action="store_true", help="replace a file that is no earlier sheet of these shards"
    )
    command.set_defaults(function=show)


def show(options: argparse.Namespace) -> int:
    """Print, check, draw; exit code 2 where the check finds damage."""
    if options.sheet:
        check_sheet(options.shards, options.sheet, options.overwrite)
    damage = check(options.shards) if options.check else []
    if damage:
        _refuse(options.shards, damage, options.json)
    facts = collect(options.shards) | ({"damage": []} if options.check else {})
    if options.sheet:
        draw_sheet(options.shards, options.sheet)
    if options.json:
        print(json.dumps(facts))
    else:
        _print(facts)
    return 0


def _refuse(folder: Path, damage: list[str], as_json: bool) -> None:
    """Print every fault, then raise: of damaged shards nothing else can be told for sure."""
    if as_json:
        print(json.dumps({"folder": str(folder), "damage": damage}))
    else:
        print("\n".join([str(folder), *(f"  {fault}" for fault in damage)]))
    raise ConfigError(
        f"{folder} is damaged: {damage[0]} ({len(damage)} faults in all)",
        "Delete the folder and render it again.",
    )


def collect(folder: Path) -> dict[str, Any]:
    """Counts, sizes, reasons and licences as plain data."""
    from geco.data.shards import HELD_OUT, Shards
    from geco.data.shards.index import read_report

    shards = Shards(folder)
    entries = shards.index["objects"]
    skipped = read_report(folder)["skipped"]
    return {
        "folder": str(folder),
        "format": shards.index["format"],
        "objects": len(shards),
        "skipped": dict(Counter(why["reason"] for why in skipped.values()).most_common()),
        "sets": shards.sets,
        "size": shards.size,
        "channels": list(shards.channels),
        "pictures": len(shards) * sum(shards.sets.values()) * len(shards.channels),
        "shards": len(shards.index["shards"]),
        "bytes": sum(entry["bytes"] for entry in shards.index["shards"]),
        "faces": sum(entry["faces"] or 0 for entry in entries),
        "licences": shards.licences,
        "held_out": len(Shards(folder / HELD_OUT)) if (folder / HELD_OUT / "index.json").is_file() else 0,
        "settings": shards.index["settings"],
    }


def check(folder: Path) -> list[str]:
    """What is wrong with the files, each fault in a line; empty for a whole folder."""
    from geco.data.shards.check import find_faults

    return list(dict.fromkeys(find_faults(folder)))


def check_sheet(folder: Path, path: Path, overwrite: bool) -> None:
    """Refuse a sheet that is no picture's file or would be written over anything but an earlier
    sheet of these shards.
    """
    if path.suffix.lower() not in (".png", ".jpg", ".webp"):
        raise OutputError(f"{path}: not a picture format", "Use .png, .jpg or .webp.")
    check_file(path, makes_way=lambda _, mark: mark.names(_source(folder)), overwrite=overwrite)


def _source(folder: Path) -> Source:
    return Source(folder.absolute().name)


def draw_sheet(folder: Path, path: Path) -> None:
    """A row an object: the first views of each set over white; objects spread over the folder."""
    import numpy as np
    from PIL import Image

    from geco.data.shards import Shards
    from geco.images import over_white, save_picture, to_bytes

    shards = Shards(folder)
    chosen = [
        shards.objects[at]
        for at in np.linspace(0, len(shards) - 1, min(SHEET_OBJECTS, len(shards))).astype(int)
    ]
    each = {name: min(count, max(SHEET_VIEWS // len(shards.sets), 1)) for name, count in shards.sets.items()}
    rows = []
    for key in chosen:
        rgba = np.concatenate(
            [shards.pictures(key, name, "rgba", range(count)) for name, count in each.items()]
        )
        rows.append(np.concatenate(list(over_white(rgba)), axis=1))
    picture = Image.fromarray(to_bytes(np.concatenate(rows)))
    save_picture(picture, path, mark_text("sheet", _source(folder)))


def _print(facts: dict[str, Any]) -> None:
    lines = {
        "format": facts["format"],
        "objects": f"{facts['objects']:,}",
        "skipped": ", ".join(f"{reason} {count}" for reason, count in facts["skipped"].items()) or "none",
        "views": f"{', '.join(f'{name} {count}' for name, count in facts['sets'].items())} an object",
        "pictures": f"{facts['pictures']:,} of {facts['size']} x {facts['size']}: "
        f"{', '.join(facts['channels'])}",
        "bytes": f"{facts['bytes']:,} in {facts['shards']} shards",
        "faces": f"{facts['faces']:,}",
        "licences": ", ".join(f"{licence} {count}" for licence, count in facts["licences"].items()),
        "held out": f"{facts['held_out']:,} objects in {facts['folder']}/held_out"
        if facts["held_out"]
        else "none",
        "seed": facts["settings"].get("seed"),
    }
    if "damage" in facts:
        lines["check"] = "every hash and every picture is right"
    print(facts["folder"])
    for name, value in lines.items():
        print(f"  {name:10} {value}")
