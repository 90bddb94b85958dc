"""The options of ``geco run``: the table of choices, and what concerns files and the machine."""

from __future__ import annotations

import argparse
from typing import Any

from geco.choices import choice, choices
from geco.cli import choice_options, model_options


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
    choice_options.add(command.add_argument_group("how the views are drawn"), choices("views"))
    choice_options.add(command.add_argument_group("mesh"), choices("mesh", "file"))
    _add_model(command.add_argument_group("model"))
    _add_output(command.add_argument_group("more output"))
    _add_many(command.add_argument_group("many pictures"))
    return command


def _add_pictures(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "pictures", nargs="+", metavar="PICTURE", help="picture files, folders of them, or -: standard input"
    )
    command.add_argument(
        "-o", "--output", metavar="FILE|DIR", help="a file for one result, else a folder (default: here)"
    )
    choice_options.add(command, [choice("format")])
    command.add_argument(
        "--overwrite",
        action="store_true",
        help="replace files that are no earlier results of the same picture; pictures that are read are "
        "never written over",
    )
    choice_options.add(command, choices("seeds"))


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
    choice_options.add(model, choices("picture"))


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


def _add_many(many: Any) -> None:
    many.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="N processes, each with the model and its share of the cores (default: this one alone; with "
        "--ray one for every CPU of the cluster)",
    )
    many.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="work on a Ray cluster (HOST:PORT, auto), or local to start one here (extra ray)",
    )
    many.add_argument(
        "--manifest",
        metavar="FILE",
        help="a JSON line a picture, added as results come; the same command again makes what is missing "
        "(default: with --workers or --ray manifest.jsonl beside the results)",
    )
    many.add_argument(
        "--retry-failed", action="store_true", help="pictures that failed in an earlier run are tried again"
    )
    many.add_argument(
        "--time-limit",
        type=float,
        metavar="S",
        help="seconds a picture may take a worker (default: 300)",
    )
    many.add_argument(
        "--memory",
        type=float,
        metavar="GIB",
        help="data that a worker may hold beside the model, 0 = any (default: 4)",
    )
