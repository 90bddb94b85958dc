"""``geco data``: from folders of objects to shards of views, and what is in them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geco.cli import data_info, data_label, data_objaverse, data_pack, data_procedural
from geco.errors import ConfigError

if TYPE_CHECKING:
    from geco.data.objects import ObjectSource
    from geco.data.ray_workers import RayWorkers
    from geco.data.render_job import RenderSettings
    from geco.processes import Bounds, Outcome, Workers

VIEWS = "zero123plus-v1.2,condition-6,random-16"
SIZE = 128


def add(commands: Any) -> None:
    """Add ``geco data`` and its own commands."""
    command: argparse.ArgumentParser = commands.add_parser(
        "data", help="render folders of objects into training views"
    )
    inner = command.add_subparsers(dest="data_command", metavar="COMMAND", required=True)
    _add_render(inner)
    data_info.add(inner)
    data_procedural.add(inner)
    data_objaverse.add(inner)
    data_pack.add(inner)
    data_label.add(inner)


def _add_render(commands: Any) -> None:
    command: argparse.ArgumentParser = commands.add_parser(
        "render",
        help="render every object of the folders into shards",
        description="Render objects (.glb .gltf .obj .ply .stl .zip) into WebDataset shards with an index. "
        "A stopped run "
        "continues at the object where it stopped when the same command is given again; the result is the "
        "same bytes. "
        "Objects that cannot be used are listed with their reasons in SHARDS/report.json.",
    )
    add_argument = command.add_argument
    add_argument(
        "folders",
        nargs="+",
        type=Path,
        metavar="OBJECTS_DIR",
        help="folders of objects, searched with their subfolders",
    )
    add_argument("-o", "--output", type=Path, required=True, metavar="SHARDS", help="the folder of shards")
    add_argument(
        "--views", default=VIEWS, help=f"names of view sets, see docs/data-shards.md (default: {VIEWS})"
    )
    add_argument("--size", type=int, default=SIZE, help=f"pixels of a side (default: {SIZE})")
    add_argument(
        "--channels", default="rgba,depth", help="of rgba, depth, normal, position (default: rgba,depth)"
    )
    add_argument(
        "--seed", type=int, default=0, help="of random cameras and lights and of the order (default: 0)"
    )
    add_argument(
        "--hold-out",
        type=int,
        default=0,
        metavar="N",
        help="N objects of the first folder go to SHARDS/held_out",
    )
    add_argument("--limit", type=int, metavar="N", help="N objects only, a sample that depends on the seed")
    add_argument(
        "--allow-untextured", action="store_true", help="draw objects without colours in grey, not skip them"
    )
    add_argument(
        "--renderer",
        choices=("own", "blender", "studio"),
        default="own",
        help="own (default); blender: the same light by Cycles; studio: photo-like light by Cycles (extra "
        "blender)",
    )
    add_argument(
        "--occlusion",
        type=float,
        default=0.0,
        metavar="S",
        help="ambient occlusion of our own renderer, 0 to 1",
    )
    add_argument("--shard-objects", type=int, default=256, metavar="N", help="objects a shard (default: 256)")
    add_argument(
        "--workers", type=int, help="processes (default: one a core; with --ray: one a CPU of the cluster)"
    )
    add_argument(
        "--ray", metavar="ADDRESS", help="a Ray cluster (HOST:PORT, auto), or local to start one here"
    )
    add_argument(
        "--resume",
        action="store_true",
        help="say that SHARDS may hold an unfinished run (that is the default too)",
    )
    add_argument(
        "--time-limit",
        type=float,
        default=300.0,
        metavar="S",
        help="seconds an object may take (default: 300)",
    )
    add_argument(
        "--read-limit",
        type=float,
        default=5.0,
        metavar="S",
        help="seconds of processor time that reading an object may take, and one more a MiB of its files "
        "(default: 5)",
    )
    add_argument(
        "--allow-links-to", action="append", type=Path, default=[], metavar="DIR",
        help="links in OBJECTS_DIR may lead into this folder too, a download cache for example (repeatable)",
    )  # fmt: skip
    add_argument(
        "--memory",
        type=float,
        default=4.0,
        metavar="GIB",
        help="data a worker may hold, 0 = any (default: 4)",
    )
    command.set_defaults(function=render)


def render(options: argparse.Namespace) -> int:
    """Render, or continue to."""
    from geco.data.render_job import RenderSettings, hold_out, in_order, open_shards
    from geco.data.shards import HELD_OUT
    from geco.processes import Bounds
    from geco.render.compiled import cache_problem

    settings = RenderSettings(
        sets=tuple(options.views.split(",")),
        size=options.size,
        channels=tuple(options.channels.split(",")),
        seed=options.seed,
        allow_untextured=options.allow_untextured,
        renderer=options.renderer,
        occlusion=options.occlusion,
        read_seconds=options.read_limit,
    )
    bounds = Bounds(options.time_limit, options.memory)
    for name in ("hold_out", "limit", "workers", "shard_objects"):
        value = getattr(options, name)
        if value is not None and value < (0 if name == "hold_out" else 1):
            raise ConfigError(f"--{name.replace('_', '-')} {value}", "Give a number of at least one.")
    by_folder = _find(options.folders, options.allow_links_to)
    apart = hold_out(by_folder[0], options.hold_out)
    aside = {source.key for source in apart}
    rest = in_order(
        (source for sources in by_folder for source in sources if source.key not in aside), settings.seed
    )
    more = {"hold_out": options.hold_out}
    # Both folders are claimed before any work, so that a wrong option fails in a second.
    rest = rest[: options.limit]
    parts = []
    if rest:
        parts = [
            (
                open_shards(options.output, rest, settings, {**more, "part": "rest"}, options.shard_objects),
                rest,
            )
        ]
    if apart:
        apart = in_order(apart, settings.seed)
        writer = open_shards(
            options.output / HELD_OUT, apart, settings, {**more, "part": HELD_OUT}, options.shard_objects
        )
        parts.insert(0, (writer, apart))
    todo = sum(len(writer.pending) for writer, _ in parts)
    if todo and (problem := cache_problem()):
        print(f"geco: {problem}", file=sys.stderr)
    with (
        _Bar(sum(len(writer.keys) for writer, _ in parts), todo) as bar,
        _pool(options, bounds, todo) as pool,
    ):
        indices = _run(parts, settings, pool, bar)
    for index, (writer, _) in zip(indices, parts):
        _report(writer.folder, index)
    return 0


def _run(parts: Any, settings: RenderSettings, pool: Any, bar: _Bar) -> list[dict[str, Any]]:
    from geco.data.render_job import render_shards

    return [render_shards(writer, sources, settings, pool, bar.step) for writer, sources in parts]


def _find(folders: list[Path], links: list[Path]) -> list[list[ObjectSource]]:
    """The objects of every folder."""
    from geco.data.objects import find_in_folders

    for folder in (*folders, *links):
        if not folder.is_dir():
            raise ConfigError(f"{folder} is not a folder", "Give folders that hold objects.")
    found = find_in_folders(folders, links)
    if not any(found):
        raise ConfigError(
            f"no objects in {', '.join(map(str, folders))}", "Known files: .glb .gltf .obj .ply .stl .zip."
        )
    return found


def _pool(options: argparse.Namespace, bounds: Bounds, todo: int) -> Workers | RayWorkers:
    import os

    from geco.data.ray_workers import RayWorkers
    from geco.data.render_job import render_task
    from geco.processes import Workers

    if options.ray and todo:
        return RayWorkers(render_task, options.ray, options.workers, bounds)
    return Workers(render_task, options.workers or os.cpu_count() or 1, bounds)


class _Bar:
    """Progress: objects a second, time left, objects skipped so far."""

    def __init__(self, total: int, todo: int) -> None:
        from tqdm import tqdm

        terminal = sys.stderr.isatty()
        self.bar = tqdm(
            total=total,
            initial=total - todo,
            unit="object",
            mininterval=0.2 if terminal else 10.0,
            dynamic_ncols=terminal,
        )
        self.skipped = 0

    def step(self, outcome: Outcome) -> None:
        if outcome.reason is not None:
            self.skipped += 1
            self.bar.set_postfix_str(f"{self.skipped} skipped", refresh=False)
        self.bar.update()

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.close()


def _report(folder: Path, index: dict[str, Any]) -> None:
    from collections import Counter

    facts = data_info.collect(folder)
    noted = Counter(note for entry in index["objects"] for note in entry.get("notes", {}))
    skipped = ", ".join(f"{reason} {count}" for reason, count in facts["skipped"].items())
    megabytes = facts["bytes"] / 1e6
    print(
        f"{folder}: {facts['objects']} objects, {facts['pictures']} pictures, {len(index['shards'])} "
        f"shards, {megabytes:.1f} MB; "
        f"skipped {sum(facts['skipped'].values())}" + (f" ({skipped})" if skipped else "")
    )
    if noted:
        said = ", ".join(f"{note} {count}" for note, count in noted.most_common())
        print(f"  objects read otherwise than they stand in their files (report.json): {said}")
