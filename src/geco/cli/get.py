"""``geco get``: a public model as a ready folder, in one line."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from geco.model_files.products import GB, PRODUCTS


def add(commands: Any) -> None:
    """Add the command's arguments."""
    listed = "\n".join(f"  {name:22} {product.what}" for name, product in PRODUCTS.items())
    command: argparse.ArgumentParser = commands.add_parser(
        "get",
        help="fetch a public model and make its folder ready",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Fetch a public model at its pinned commit, check it, and make the folder that --model "
        f"NAME finds.\nA command that was ended goes on where it stopped.\n\nnames:\n{listed}\n"
        f"  {'OWNER/NAME':22} a model folder on the hub, or a Zero123++ pipeline",
        epilog="Example: geco get instantmesh && geco run photo.png --model instantmesh",
    )
    command.add_argument(
        "name", nargs="?", metavar="NAME", help="which one; without it, all with their sizes"
    )
    command.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="the folder to make (default: the user's cache)"
    )
    command.add_argument(
        "--precision",
        choices=("float16", "float32"),
        default="float16",
        help="of the views' networks: float16 as the public pipelines run them, float32 what the sources "
        "have (default float16)",
    )
    command.add_argument(
        "--revision", metavar="COMMIT", help="of a hub id's repository: a commit, branch or tag; needs -o"
    )
    command.set_defaults(function=get)


def get(options: argparse.Namespace) -> int:
    """Get one, or list all."""
    if options.name is None:
        for product in PRODUCTS.values():
            print(f"{product.name:22} {'here' if product.is_here() else product.sizes()}")
            print(f"{'':22} {product.what}")
            print(f"{'':22} {product.licence}")
        return 0
    from geco.getting import get as make_ready

    folder = make_ready(options.name, options.output, options.precision, options.revision)
    size = sum(path.stat().st_size for path in folder.rglob("*.safetensors"))
    print(f"{folder}: {size / GB:.2f} GB of weights")
    named = options.name if options.output is None else folder
    print(f"Use it with: geco run PICTURE --model {named}")
    return 0
