"""``geco data render``: folders of objects into shards of views."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geco.cli import data_info
from geco.cli.data_folders import find
from geco.errors import ConfigError

if TYPE_CHECKING:
    from geco.data.objects import ObjectSource
    from geco.data.render_job import RenderSettings
    from geco.data.shards import ShardWriter
    from geco.processes import Bounds, Outcome, Workers
    from geco.processes.ray_workers import RayWorkers

VIEWS = "zero123plus-v1.2,condition-6,random-16"
SIZE = 128


def add(commands: Any) -> None:
    """Add the command's arguments."""
    command: argparse.ArgumentParser = commands.add_parser(
        "render",
        help="render every object of the folders into shards",
        description="Render objects (.glb .gltf .obj .ply .stl .zip) into WebDataset shards with an index. A "
        "stopped run continues at the object where it stopped when the same command is given again; the "
        "result is the same bytes. Objects that cannot be used are listed with their reasons in "
        "SHARDS/report.json.",
    )
    _add_objects(command.add_argument)
    _add_pictures(command.add_argument)
    _add_workers(command.add_argument)
    command.set_defaults(function=render)


def _add_objects(argument: Callable[..., Any]) -> None:
    argument("folders", nargs="+", type=Path, metavar="OBJECTS_DIR", help="searched with their subfolders")
    argument(
        "--allow-links-to", action="append", type=Path, default=[], metavar="DIR",
        help="links in OBJECTS_DIR may lead into this folder too, a download cache for example (repeatable)",
    )  # fmt: skip
    argument("--limit", type=int, metavar="N", help="N objects only, a sample that depends on the seed")
    held_out = "N objects of the first folder go to SHARDS/held_out"
    argument("--hold-out", type=int, default=0, metavar="N", help=held_out)
    untextured = "render objects without colours in grey, not skip them"
    argument("--allow-untextured", action="store_true", help=untextured)


def _add_pictures(argument: Callable[..., Any]) -> None:
    argument("-o", "--output", type=Path, required=True, metavar="SHARDS", help="the folder of shards")
    views = f"names of view sets, see docs/data-shards.md (default: {VIEWS})"
    argument("--views", default=VIEWS, help=views)
    argument("--size", type=int, default=SIZE, help=f"pixels of a side (default: {SIZE})")
    channels = "of rgba, depth, normal, position (default: rgba,depth)"
    argument("--channels", default="rgba,depth", help=channels)
    seed = "of random cameras and lights and of the order (default: 0)"
    argument("--seed", type=int, default=0, help=seed)
    argument(
        "--renderer",
        choices=("own", "blender", "studio"),
        default="own",
        help="own (default); blender: the same light by Cycles; studio: photo-like light by Cycles (extra "
        "blender)",
    )
    occlusion = "ambient occlusion of our own renderer, 0 to 1"
    argument("--occlusion", type=float, default=0.0, metavar="S", help=occlusion)
    argument("--shard-objects", type=int, default=256, metavar="N", help="objects a shard (default: 256)")
    resume = "say that SHARDS may hold an unfinished run (that is the default too)"
    argument("--resume", action="store_true", help=resume)


def _add_workers(argument: Callable[..., Any]) -> None:
    workers = "processes (default: one a core; with --ray: one a CPU of the cluster)"
    argument("--workers", type=int, help=workers)
    ray = "a Ray cluster (HOST:PORT, auto), or local to start one here"
    argument("--ray", metavar="ADDRESS", help=ray)
    time = "seconds an object may take (default: 300)"
    argument("--time-limit", type=float, default=300.0, metavar="S", help=time)
    argument(
        "--read-limit",
        type=float,
        default=5.0,
        metavar="S",
        help="seconds of processor time that reading an object may take, and one more a MiB of its files "
        "(default: 5)",
    )
    memory = "data a worker may hold, 0 = any (default: 4)"
    argument("--memory", type=float, default=4.0, metavar="GIB", help=memory)


def render(options: argparse.Namespace) -> int:
    """Render, or continue to."""
    from geco.data.render_job import RenderSettings, render_shards
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
    parts = _parts(options, settings)
    todo = sum(len(writer.pending) for writer, _ in parts)
    if todo and (problem := cache_problem()):
        print(f"geco: {problem}", file=sys.stderr)
    total = sum(len(writer.keys) for writer, _ in parts)
    with _Bar(total, todo) as bar, _pool(options, bounds, todo) as pool:
        indices = [render_shards(writer, sources, settings, pool, bar.step) for writer, sources in parts]
    for index, (writer, _) in zip(indices, parts):
        _report(writer.folder, index)
    return 0


def _parts(
    options: argparse.Namespace, settings: RenderSettings
) -> list[tuple[ShardWriter, list[ObjectSource]]]:
    """The folders of shards to write with their objects, those held out first; every folder is claimed here,
    before any work, so that a wrong option fails in a second.
    """
    from geco.data.render_job import hold_out, in_order, open_shards
    from geco.data.shards import HELD_OUT

    by_folder = find(options.folders, options.allow_links_to)
    apart = hold_out(by_folder[0], options.hold_out)
    aside = {source.key for source in apart}
    rest = (source for sources in by_folder for source in sources if source.key not in aside)
    parts = []
    for folder, part, objects in [
        (options.output, "rest", in_order(rest, settings.seed)[: options.limit]),
        (options.output / HELD_OUT, HELD_OUT, in_order(apart, settings.seed)),
    ]:
        if objects:
            more = {"hold_out": options.hold_out, "part": part}
            parts.append((open_shards(folder, objects, settings, more, options.shard_objects), objects))
    return parts[::-1]


def _pool(options: argparse.Namespace, bounds: Bounds, todo: int) -> Workers | RayWorkers:
    import os

    from geco.data.render_job import render_task
    from geco.processes import Workers
    from geco.processes.ray_workers import Cluster, RayWorkers

    if options.ray and todo:
        cluster = Cluster(options.ray, purpose="Rendering on many machines")
        return RayWorkers(render_task, cluster, options.workers, bounds)
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
