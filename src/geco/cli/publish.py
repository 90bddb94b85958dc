"""``geco publish``: a run folder of training as a model folder to hand on, here or on the hub."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from geco.errors import ConfigError, MissingExtraError


def add(commands: Any) -> None:
    """Add the command's arguments."""
    command: argparse.ArgumentParser = commands.add_parser(
        "publish",
        help="a run folder of training as a model folder to hand on, here or on the hub",
        description="The same model without checkpoints, logs and pictures, its weights in float16, with a "
        "page about it (README.md): data, recipe, training, licences. Every command reads the folder, and "
        "the repository that it is pushed to, as any other model.",
        epilog="Example: geco publish runs/stage2 -o published --metrics report --push me/my-geco",
    )
    command.add_argument(
        "run", type=Path, metavar="RUN", help="run folder of a stage, or a published folder to push"
    )
    command.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FOLDER",
        help="a new or empty folder, or an earlier one of the same run; only --push goes without",
    )
    command.add_argument(
        "--metrics",
        type=Path,
        metavar="REPORT",
        help="a report of geco evaluate; its tables go on the page",
    )
    command.add_argument(
        "--push",
        metavar="OWNER/NAME",
        help="upload the folder to this hub repository (made where it is not there), as who is logged in: "
        "hf auth login, or HF_TOKEN",
    )
    command.add_argument(
        "--private", action="store_true", help="a repository that --push makes is seen by you alone"
    )
    command.set_defaults(function=publish)


def publish(options: argparse.Namespace) -> int:
    """Publish, say how large it is, and push."""
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("torch", "torch", "geco publish") from error
    from geco.model_files.push import check_target, push

    if options.output is None and options.push is None:
        raise ConfigError("there is nothing to do without -o and --push", "Give the folder to write with -o.")
    if options.output is None and options.metrics is not None:
        raise ConfigError("--metrics is for the page that -o writes", "Give -o too, or leave it out.")
    if options.private and options.push is None:
        raise ConfigError("--private is for --push", "Give --push OWNER/NAME, or leave it out.")
    token = check_target(options.push) if options.push else ""
    folder = options.run
    if options.output is not None:
        folder = options.output
        _write(options)
    if options.push:
        print(push(folder, options.push, token, options.private))
        print(f"Use it with: geco run PICTURE --model {options.push}")
    return 0


def _write(options: argparse.Namespace) -> None:
    from geco.model_files.publish import publish as write

    metrics = _metrics(options.metrics) if options.metrics else ""
    card = write(options.run, options.output, metrics, options.push)
    size = sum(path.stat().st_size for path in options.output.rglob("*.safetensors"))
    what = card["facts"].get("stage") or card["family"]
    print(f"{options.output}: {what}, {size / 1e6:.1f} MB of weights")


def _metrics(report: Path) -> str:
    """A report's tables as a part of the page."""
    from geco.evaluate.report import RESULTS
    from geco.evaluate.tables import tables
    from geco.foreign import read_fields

    results = read_fields(report / RESULTS, ConfigError, "Give a finished report of geco evaluate.").values
    try:
        text = tables(results)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(
            f"{report / RESULTS} is not what geco evaluate writes", "Run geco evaluate again."
        ) from error
    return text.replace("\n## ", "\n### ").replace("# Evaluation", "## Evaluation", 1).strip()
