"""``geco export``: a model for programs that are not this one: ONNX graphs, or a diffusers pipeline."""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geco.errors import ConfigError, MissingExtraError, WeightsError

if TYPE_CHECKING:
    from geco.model_files.card import Usage

TARGETS = ("onnx", "diffusers")
FAMILIES = ("small", "full")


def add(commands: Any) -> None:
    """Add the command's arguments."""
    command: argparse.ArgumentParser = commands.add_parser(
        "export",
        help="a model as ONNX graphs, or its views as a diffusers pipeline",
        description="Write a model folder as ONNX graphs, each run beside the torch module that it came from "
        "(nothing is exported that differs), or its views as a diffusers pipeline with its code in it.",
        epilog="Example: geco export runs/stage2 -o exported; geco run PICTURE --model exported",
    )
    add_argument = command.add_argument
    add_argument("model", type=Path, metavar="MODEL", help="model folder with multiview/ and reconstructor/")
    add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="the folder to write")
    add_argument("--to", choices=TARGETS, default="onnx", help="what to write (default onnx)")
    add_argument("--steps", type=int, metavar="N", help="of the sampler (default: the model card's)")
    add_argument("--guidance", type=float, metavar="S", help="guidance scale (default: the model card's)")
    add_argument("--eta", type=float, metavar="E", help="of the sampler, 0 to 1 (default: the model card's)")
    add_argument(
        "--resolution", type=int, metavar="N", help="cubes a side of the surface grid (default: the card's)"
    )
    add_argument("--texture-size", type=int, metavar="N", help="side of the texture (default: the card's)")
    add_argument("--facts", type=Path, metavar="FILE", help="JSON object about the training, for geco info")
    add_argument(
        "--precision",
        choices=("float16", "float32"),
        help="of the weights; float32 of a diffusers folder only (default: what the model has; the small "
        "family's graphs have float16)",
    )
    command.set_defaults(function=export)


def export(options: argparse.Namespace) -> int:
    """Check what was asked for, then export."""
    from geco.locks import LOCK, locked

    usage = _usage(options)
    if options.to == "diffusers":
        return _diffusers(options, usage)
    from geco.foreign import read_fields

    facts = read_fields(options.facts, ConfigError).values if options.facts else None
    write = _exporter(options)
    with locked(options.output, LOCK):
        card = write(options.model, options.output, usage, facts)
    size = sum(path.stat().st_size for path in options.output.rglob("*") if path.is_file()) / 1e6
    worst = max(card["export_error"].values())
    print(f"{options.output}: {size:.1f} MB, {worst:.1g} from torch's values at most (relative)")
    print(f"Use it with: geco run PICTURE --model {options.output}")
    return 0


def _diffusers(options: argparse.Namespace, usage: Usage) -> int:
    for name in ("resolution", "texture_size", "facts"):
        if getattr(options, name) is not None:
            option = "--" + name.replace("_", "-")
            raise ConfigError(f"{option} does not go with --to diffusers", "Leave it out.")
    try:
        import diffusers
        import torch
    except ImportError as error:
        raise MissingExtraError(str(error.name), "torch", "geco export --to diffusers") from error
    from geco.locks import LOCK, locked
    from geco.model_files.card import CARD, read_model_card
    from geco.public_weights import diffusers_files, diffusers_full, diffusers_small

    card = read_model_card(options.model)
    family = {"small": diffusers_small, "full": diffusers_full}[card["family"]]
    sampling = usage.drawing(str(options.model / CARD)).to_dict()
    exported = family.exported(options.model, sampling)
    precision = getattr(torch, options.precision) if options.precision else None
    with locked(options.output, LOCK):
        size = diffusers_files.write(exported, options.output, precision)
    print(
        f"{options.output}: a pipeline for diffusers {diffusers.__version__}, {size / 1e6:.1f} MB of weights"
    )
    print(f'Use it with: DiffusionPipeline.from_pretrained("{options.output}", trust_remote_code=True)')
    return 0


def _usage(options: argparse.Namespace) -> Usage:
    """The card's, with what the command says in its place; raises ConfigError for what is out of range."""
    from geco.model_files.card import CARD, RESOLUTIONS, TEXTURE_SIZES, read_model_card, usage_of

    card = read_model_card(options.model)
    if card["family"] not in FAMILIES:
        raise WeightsError(
            f"{options.model} is of the family {card['family']!r}",
            "Models of the small and the full family can be exported.",
        )
    usage = usage_of(card, options.model)
    sizes = {"resolution": RESOLUTIONS, "texture_size": TEXTURE_SIZES}
    given = {name: value for name in sizes if (value := getattr(options, name)) is not None}
    for name, value in given.items():
        low, high = sizes[name]
        if not low <= value <= high:
            option = "--" + name.replace("_", "-")
            raise ConfigError(
                f"{option} {value} is out of range", f"Choose a whole number from {low} to {high}."
            )
    asked = {"steps": options.steps, "guidance_scale": options.guidance, "eta": options.eta}
    changes = {name: value for name, value in asked.items() if value is not None}
    sampling = replace(usage.drawing(str(options.model / CARD)), **changes)
    return replace(usage, sampling=sampling, **given)


def _exporter(options: argparse.Namespace) -> Any:
    """What writes the graphs of the model's family."""
    from geco.model_files.card import read_model_card

    full = read_model_card(options.model)["family"] == "full"
    if options.precision is not None and not (full and options.precision == "float16"):
        raise ConfigError(
            f"--precision {options.precision} does not go with these graphs",
            "Leave it out: the full family's weights stay as they are, the small one's are float16.",
        )
    try:
        import onnx  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(str(error.name), "torch", "geco export") from error
    if full:
        from geco.onnx_runtime.export_full import export_full

        return partial(export_full, half=options.precision is not None)
    from geco.onnx_runtime.export import export_small

    return export_small
