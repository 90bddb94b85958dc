"""The options of ``geco evaluate``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from geco.cli import model_options, steering


def add(commands: Any) -> argparse.ArgumentParser:
    """The command with its arguments."""
    command: argparse.ArgumentParser = commands.add_parser(
        "evaluate",
        help="measure methods on 3D objects: the paper's tables",
        description="Render each object, give the picture to every method, and compare views and meshes with "
        "the object. Started again with the same options it goes on where it stopped; methods and seeds may "
        "be added.",
        epilog="Methods: geco (the model as it ships), teacher-N (N deterministic DDIM steps), undistilled "
        "(one step of the teacher), copy-input, ground-truth-views (the reconstructor on rendered views: "
        "upper bound), regressor, pixelnerf, stage1, a folder of a model, or NAME=MODEL: a folder, "
        "the name of a public model or a hub id. NAME@T truncates the noise of a one-step generator to T, 0 "
        "to 1; NAME@steps-28, @guidance-3, @ddim, @euler-ancestral, @clean, @noised steer this one alone; "
        "each mesh of NAME@best-4 is the best of four seeds.",
    )
    _add_report(command)
    _add_meshes(command.add_argument_group("meshes made elsewhere"))
    _add_model(command.add_argument_group("models: of the methods, and to compare by"))
    steering.add(command.add_argument_group("how every method's model draws its views"))
    _add_bounds(command.add_argument_group("bounds of one object, or of one mesh made elsewhere"))
    return command


def _add_report(command: argparse.ArgumentParser) -> None:
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
    command.add_argument(
        "--no-meshes", action="store_true", help="do not keep the meshes (REPORT_DIR/meshes)"
    )
    command.add_argument("-q", "--quiet", action="store_true", help="no progress")


def _add_meshes(meshes: Any) -> None:
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


def _add_model(model: Any) -> None:
    model_options.add(model)
    model.add_argument(
        "--lpips-weights",
        metavar="DIR",
        help="VGG16 and AlexNet for LPIPS (default: caches, network; none: without)",
    )
    model.add_argument(
        "--clip-weights", metavar="DIR", help="a CLIP folder (default: caches, network; none: without)"
    )


def _add_bounds(bounds: Any) -> None:
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
