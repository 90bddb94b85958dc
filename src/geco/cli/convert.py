"""``geco convert``: public weights to one safetensors folder that ``geco run --model`` takes."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from geco.errors import ConfigError, MissingExtraError

OWN = "own"  # UNet: the source's
VIEWS, RECONSTRUCTOR = "sudo-ai/zero123plus-v1.2", "instant-mesh-large"  # what is converted by default


def add(commands: Any) -> None:
    """Add the command's arguments."""
    command: argparse.ArgumentParser = commands.add_parser(
        "convert",
        help="public weights (Zero123++ with InstantMesh, TripoSR) to one model folder",
        description="Read public weights strictly, fetch what is not here (its licence is printed), write "
        "one safetensors folder.",
        epilog="Example: geco convert --reconstructor instant-mesh-large -o models/full",
    )
    command.add_argument(
        "--multiview",
        default=VIEWS,
        metavar="ID|DIR",
        help="Zero123++ hub id or diffusers folder, or what geco export --to diffusers wrote (default: "
        "sudo-ai/zero123plus-v1.2)",
    )
    command.add_argument(
        "--unet",
        metavar="ID|FILE",
        help="another UNet, which paints on white as the reconstructor wants it: TencentARC/InstantMesh, or "
        "its .bin file; own keeps the source's, on grey (default: TencentARC/InstantMesh for v1.2)",
    )
    command.add_argument(
        "--reconstructor",
        default=RECONSTRUCTOR,
        metavar="NAME|FILE|DIR",
        help="instant-{nerf,mesh}-{base,large}, a .ckpt file, or a folder that holds them: DIR for its "
        "instant-mesh-large, DIR/NAME for another; or a model folder (default: instant-mesh-large)",
    )
    _add_more(command)
    command.add_argument("-o", "--output", required=True, metavar="DIR", help="the folder to write")
    command.set_defaults(function=convert)


def _add_more(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--config",
        metavar="FILE",
        help="settings of a reconstructor of other sizes: InstantMesh's .yaml, or a .json of ours (default: "
        "the .yaml beside it, else one of the released)",
    )
    command.add_argument(
        "--precision",
        choices=("float16", "float32"),
        help="of UNet, VAE and CLIP: float16, as the public pipelines run them, or float32, what the sources "
        "have (default: float16 of public weights, what the files have of exported ones)",
    )
    command.add_argument(
        "--revision",
        metavar="COMMIT",
        help="of the hub id in --multiview or --triposr (default: the commit this version was made with)",
    )
    command.add_argument(
        "--rig", help="camera rig of the views (default: read off the source, else zero123plus-v1.2)"
    )
    command.add_argument(
        "--triposr",
        metavar="ID|DIR",
        help="TripoSR instead of the two halves: stabilityai/TripoSR, or a folder with its config.yaml and "
        "model.ckpt",
    )


def convert(options: argparse.Namespace) -> int:
    """Convert; the folder's own card is written last, so a folder that has one is whole."""
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("torch", "torch", "geco convert") from error
    from geco.locks import LOCK, locked

    make = _triposr(options) if options.triposr else _halves(options)
    with locked(Path(options.output), LOCK):  # made and held before gigabytes are fetched
        card = make()
    print(f"{options.output}: {card['licence']}")
    print(f"Use it with: geco run PICTURE --model {options.output}")
    return 0


def _halves(options: argparse.Namespace) -> Callable[[], dict[str, Any]]:
    from geco.public_weights.diffusers_files import is_ours
    from geco.torch_runtime.convert import PUBLIC_PRECISION, Halves, convert_public

    if is_ours(Path(options.multiview)):
        return _exported(options)
    unet = unet_of(options.unet, options.multiview, options.reconstructor)
    if unet is None:
        print(
            "geco: this UNet paints on grey, InstantMesh's reconstructors were trained on white; expect "
            "worse meshes than with --unet TencentARC/InstantMesh",
            file=sys.stderr,
        )
    halves = Halves(
        options.multiview, options.reconstructor, unet, options.rig, options.revision, options.config
    )
    return lambda: convert_public(halves, options.output, options.precision or PUBLIC_PRECISION)


def _exported(options: argparse.Namespace) -> Callable[[], dict[str, Any]]:
    from geco.torch_runtime.convert import PRECISIONS
    from geco.torch_runtime.convert_exported import convert_exported

    for name in ("unet", "config", "rig", "revision"):
        if getattr(options, name) is not None:
            raise ConfigError(f"--{name} does not go with a folder of geco export", "Leave it out.")
    precision = PRECISIONS[options.precision] if options.precision else None
    return lambda: convert_exported(Path(options.multiview), options.reconstructor, options.output, precision)


def _triposr(options: argparse.Namespace) -> Callable[[], dict[str, Any]]:
    from geco.public_weights.triposr import convert as convert_triposr

    others = {"multiview": VIEWS, "reconstructor": RECONSTRUCTOR, "unet": None, "config": None, "rig": None}
    if given := [name for name, default in others.items() if getattr(options, name) != default]:
        raise ConfigError(f"--triposr does not go with --{given[0]}", "TripoSR has no halves: leave it out.")
    return lambda: convert_triposr(options.triposr, options.output, options.revision)


def unet_of(asked: str | None, multiview: str, reconstructor: str = "") -> str | os.PathLike[str] | None:
    """The UNet to take in place of ``multiview``'s own, or None to keep that: "own", or none that
    is usual.
    """
    from geco.torch_runtime.convert import usual_unet

    return None if asked == OWN else asked or usual_unet(multiview, reconstructor)
