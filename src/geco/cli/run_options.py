"""The options of ``geco run``."""

from __future__ import annotations

import argparse
from typing import Any

from geco.cli import model_options, steering
from geco.outputs import MESH_SUFFIXES

FORMATS = tuple(suffix.removeprefix(".") for suffix in MESH_SUFFIXES)


def add(commands: Any) -> argparse.ArgumentParser:
    """The command with its arguments."""
    command: argparse.ArgumentParser = commands.add_parser(
        "run",
        help="turn pictures into textured meshes",
        description="Turn one picture, many, or folders of pictures into UV-textured meshes.",
        epilog="Exit code 0: every picture done. 2: at least one could not be (named on standard error); "
        "the others are written.",
    )
    _add_pictures(command)
    _add_views(command.add_argument_group("how the views are drawn"))
    _add_mesh(command.add_argument_group("mesh"))
    _add_model(command.add_argument_group("model"))
    _add_output(command.add_argument_group("more output"))
    return command


def _add_pictures(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "pictures", nargs="+", metavar="PICTURE", help="picture files, folders of them, or -: standard input"
    )
    command.add_argument(
        "-o", "--output", metavar="FILE|DIR", help="a file for one result, else a folder (default: here)"
    )
    command.add_argument(
        "--format", choices=FORMATS, help="file format (default: by the output's suffix, else glb)"
    )
    command.add_argument(
        "--overwrite",
        action="store_true",
        help="replace files that are no earlier results of the same picture; pictures that are read are "
        "never written over",
    )
    command.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the noise (default 0)")
    command.add_argument(
        "--samples", type=int, default=1, metavar="K", help="K meshes a picture, with seeds N … N+K-1"
    )


def _add_views(views: Any) -> None:
    steering.add(views)
    views.add_argument(
        "--truncation",
        type=float,
        metavar="T",
        help="0 to 1, of a one-step generator: how far seeds may differ, 1 the most (default: the model's)",
    )


def _add_mesh(mesh: Any) -> None:
    mesh.add_argument(
        "--size",
        type=float,
        metavar="METRES",
        help="longest side of the mesh in metres (default: about 2; stl and 3mf, in millimetres, for "
        "printing: 100 mm)",
    )
    mesh.add_argument(
        "--faces", type=int, metavar="N", help="at most N faces (default: what the surface gives)"
    )
    mesh.add_argument(
        "--texture-size", type=int, metavar="N", help="side of the texture in texels (default: the model's)"
    )
    mesh.add_argument(
        "--texture-format",
        choices=("jpeg", "png", "webp"),
        default="jpeg",
        help="of the texture (default jpeg)",
    )
    mesh.add_argument(
        "--resolution", type=int, metavar="N", help="cubes a side of the surface grid (default: the model's)"
    )
    mesh.add_argument(
        "--vertex-colors",
        action="store_true",
        help="colours at the vertices in place of UVs and a texture; quicker, and as sharp as the grid",
    )
    mesh.add_argument("--watertight", action="store_true", help="guarantee a closed manifold, for printing")
    mesh.add_argument(
        "--no-outline",
        action="store_true",
        help="do not make the surface keep to the input picture's outline",
    )
    mesh.add_argument(
        "--no-projection", action="store_true", help="do not lay the input picture onto the visible side"
    )
    mesh.add_argument(
        "--uv",
        choices=("charts", "xatlas"),
        default="charts",
        help="unwrapping method (default charts, ours)",
    )


def _add_model(model: Any) -> None:
    model_options.add(model)
    model.add_argument(
        "--get", action="store_true", help="get the public model first where it is not here (gigabytes)"
    )
    model.add_argument(
        "--max-memory",
        metavar="SIZE",
        help="8GB, 500MB: seeds and pictures are drawn together as far as it allows; the device's, or the "
        "process's on a CPU (default: 8 at a time)",
    )
    model.add_argument(
        "--cutout",
        choices=("auto", "alpha", "plain", "builtin", "grabcut", "rembg", "none"),
        default="auto",
        help="how the background is removed (default auto: alpha, plain background, rembg if installed, "
        "built-in)",
    )


def _add_output(extra: Any) -> None:
    extra.add_argument("--views", action="store_true", help="write the six generated views beside each mesh")
    extra.add_argument(
        "--turntable",
        metavar="FILE",
        help="render the mesh turning: .mp4 (extra video), .gif, or .png (a sheet)",
    )
    extra.add_argument(
        "--save-steps", metavar="DIR", help="write what the model saw: cut-out, condition, views"
    )
    extra.add_argument("--json", action="store_true", help="one JSON line a result on standard output")
    extra.add_argument("-q", "--quiet", action="store_true", help="no progress bar and no summary")
