"""``geco evaluate``: methods x objects to rows, tables and one page."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Add the command's arguments."""
    command: argparse.ArgumentParser = commands.add_parser(
        "evaluate",
        help="measure methods on 3D objects: the paper's tables",
        description="Render each object, give the picture to every method, and compare views and meshes "
        "with the object. "
        "Started again with the same options it goes on where it stopped; methods and seeds may be added.",
        epilog="Methods: geco (the model as it ships), teacher-N (N deterministic DDIM steps), undistilled "
        "(one step of the "
        "teacher), copy-input, ground-truth-views (the reconstructor on rendered views: upper bound), "
        "regressor, stage1, a folder "
        "of a model, or NAME=FOLDER. NAME@T truncates the noise of a one-step generator to T, 0 to 1.",
    )
    command.add_argument(
        "--objects", required=True, metavar="DIR", help="folder of objects (.glb .gltf .obj .ply .stl .zip)"
    )
    command.add_argument("--methods", default="", metavar="NAME[,NAME...]", help="what to measure; see below")
    command.add_argument(
        "-o", "--output", required=True, metavar="REPORT_DIR", help="folder of the report, made if needed"
    )
    command.add_argument(
        "--protocol", choices=("A", "B", "both"), default="both", help="camera sets for meshes (default both)"
    )
    command.add_argument(
        "--seeds",
        type=int,
        metavar="N",
        help="seeds 0 … N-1 for each of these methods that has noise (default: the report's, or 1)",
    )
    command.add_argument("--limit", type=int, metavar="N", help="only the first N objects")
    command.add_argument(
        "--size", type=int, default=320, metavar="PX", help="side of the compared pictures (default 320)"
    )
    command.add_argument(
        "--variants",
        default="bare,finish",
        metavar="V[,V...]",
        help="of our meshes: bare (the networks alone), outline, projection, finish (both, as geco run; "
        "default bare,finish)",
    )

    meshes = command.add_argument_group("meshes made elsewhere")
    meshes.add_argument(
        "--meshes",
        action="append",
        default=[],
        metavar="NAME=DIR",
        help="a column of meshes by another program, one an object, named as the objects; of any scale, "
        "axes and origin",
    )
    meshes.add_argument(
        "--mesh-light",
        choices=("bare", "target"),
        default="bare",
        help="how they are drawn: their colours as they are (light is baked in), or under the truth's "
        "light (albedo)",
    )

    meshes.add_argument(
        "--alignment",
        choices=("box", "search"),
        default="box",
        help="of OUR meshes: box as in the paper (default), or search, as the meshes made elsewhere are "
        "always aligned",
    )

    model = command.add_argument_group("model")
    model.add_argument(
        "--model", default="small", metavar="small|DIR", help="what the methods run (default small, embedded)"
    )
    model.add_argument(
        "--device",
        help="cpu, cuda, mps, for models that run on torch (default: the best there is); with a format: "
        "cpu,bf16",
    )
    model.add_argument(
        "--lpips-weights",
        metavar="DIR",
        help="VGG16 and AlexNet for LPIPS (default: caches, network; none: without)",
    )
    model.add_argument(
        "--clip-weights", metavar="DIR", help="a CLIP folder (default: caches, network; none: without)"
    )

    bounds = command.add_argument_group("bounds of one object, or of one mesh made elsewhere")
    bounds.add_argument(
        "--time-limit",
        type=float,
        default=300.0,
        metavar="S",
        help="seconds for reading and drawing it (default 300)",
    )
    bounds.add_argument(
        "--read-limit",
        type=float,
        default=5.0,
        metavar="S",
        help="seconds of processor time for reading it, and one more a MiB of its files (default 5)",
    )
    bounds.add_argument(
        "--memory", type=float, default=4.0, metavar="GIB", help="data it may take, 0 = any (default 4)"
    )
    bounds.add_argument(
        "--allow-links-to",
        action="append",
        type=Path,
        default=[],
        metavar="DIR",
        help="links in the folders may lead into this folder too, a download cache for example (repeatable)",
    )
    command.add_argument(
        "--no-meshes", action="store_true", help="do not keep the meshes (REPORT_DIR/meshes)"
    )
    command.add_argument("-q", "--quiet", action="store_true", help="no progress")
    command.set_defaults(function=run)


def run(options: argparse.Namespace) -> int:
    """Check everything that can be checked, then measure."""
    from geco.errors import ConfigError
    from geco.evaluate.methods import VARIANTS, parse_methods
    from geco.evaluate.reading import Reading
    from geco.evaluate.run import Plan, choose_objects, evaluate
    from geco.evaluate.settings import Settings, seeds_of
    from geco.processes import Bounds

    variants = tuple(dict.fromkeys(_listed(options.variants)))
    if unknown := [variant for variant in variants if variant not in VARIANTS]:
        raise ConfigError(f"no variant is called {', '.join(unknown)}", f"Use some of {', '.join(VARIANTS)}.")
    settings = Settings(
        protocol=options.protocol,
        seeds=seeds_of(Path(options.output)) if options.seeds is None else options.seeds,
        size=options.size,
        variants=tuple(variant for variant in VARIANTS if variant in variants),
        mesh_light=options.mesh_light,
        alignment=options.alignment,
        lpips_weights=options.lpips_weights,
        clip_weights=options.clip_weights,
    )
    methods = parse_methods(_listed(options.methods), options.meshes, options.model)
    for folder in options.allow_links_to:
        if not folder.is_dir():
            raise ConfigError(
                f"--allow-links-to {folder} is not a folder", "Give the folder that links lead into."
            )
    if not options.read_limit > 0:
        raise ConfigError(f"--read-limit {options.read_limit:g}", "Give more than 0 seconds.")
    objects = choose_objects(options.objects, options.limit, options.allow_links_to)
    reading = Reading(
        Bounds(options.time_limit, options.memory),
        options.read_limit,
        tuple(p.absolute() for p in options.allow_links_to),
    )
    plan = Plan(
        Path(options.output),
        objects,
        methods,
        settings,
        options.device,
        keep_meshes=not options.no_meshes,
        quiet=options.quiet,
        reading=reading,
    )
    done = evaluate(plan)
    if not options.quiet:
        what = (
            f"{done['measured']} rows measured, {done['rows']} in all"
            if done["measured"]
            else f"nothing to do: all {done['rows']} rows are there"
        )
        print(f"{what} ({done['seconds']:.1f} s); report in {options.output}", file=sys.stderr)
        print((plan.report / "tables.md").read_text(encoding="utf-8") if done["measured"] else "", end="")
    return 0


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
