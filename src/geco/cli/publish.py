"""``geco publish``: a run folder of training as a model folder to hand on."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from geco.errors import MissingExtraError


def add(commands: Any) -> None:
    """Add the command's arguments."""
    command: argparse.ArgumentParser = commands.add_parser(
        "publish",
        help="a run folder of training as a model folder to hand on",
        description="The same model without checkpoints, logs and pictures, its weights in float16; loss "
        "curves and training.json come along. Every command reads the folder as any other model.",
        epilog="Example: geco publish runs/teacher -o models/teacher",
    )
    command.add_argument("run", type=Path, metavar="RUN", help="run folder of a stage of the small family")
    command.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FOLDER", help="a new or empty folder"
    )
    command.set_defaults(function=publish)


def publish(options: argparse.Namespace) -> int:
    """Publish, then say how large it is."""
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("torch", "torch", "geco publish") from error
    from geco.model_files.publish import publish as write

    card = write(options.run, options.output)
    size = sum(path.stat().st_size for path in options.output.rglob("*.safetensors"))
    what = card["facts"].get("stage") or card["family"]
    print(f"{options.output}: {what}, {size / 1e6:.1f} MB of weights")
    return 0
