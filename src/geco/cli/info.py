"""``geco info``: what is installed, what the embedded model is, and under which licences."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from geco.cli import model_options

if TYPE_CHECKING:
    from geco.model_files.products import Product

PACKAGE = "geco3d"
RUNTIME = ("numpy", "onnxruntime", "Pillow", "safetensors", "torch")  # told where they are installed
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_INNER = re.compile(r"[A-Za-z0-9._-]+\s*\[([^\]]*)\]")
_EXTRA = re.compile(r"""extra\s*==\s*["']([^"']+)["']""")


def add(commands: Any) -> None:
    """Add the command's arguments."""
    command: argparse.ArgumentParser = commands.add_parser(
        "info", help="show versions, the model, extras and licences"
    )
    model_options.add_model(command)
    command.add_argument("--json", action="store_true", help="one JSON object")
    command.set_defaults(function=show)


def show(options: argparse.Namespace) -> int:
    """Print what :func:`collect` found."""
    found = collect(options.model)
    if options.json:
        print(json.dumps(found))
        return 0
    print(f"geco {found['geco']} · Python {found['python']} · {found['platform']}")
    for name, version in found["runtime"].items():
        print(f"  {name:12} {version}")
    print("devices of ONNX Runtime (--device)")
    for name, state in found["devices"].items():
        print(f"  {name:12} {state}")
    print("extras")
    for name, missing in found["extras"].items():
        said = f"lacks {', '.join(missing)} (pip install '{PACKAGE}[{name}]')" if missing else "installed"
        print(f"  {name:12} {said}")
    print(f"model {found['model']['name']}")
    for name, value in found["model"].items():
        if name not in ("name", "facts"):
            print(f"  {name:22} {value}")
    for name, value in found["model"]["facts"].items():
        print(f"  {name:22} {value}")
    print("public models (geco get NAME; not part of this package)")
    for name, about in found["products"].items():
        print(f"  {name:22} {about['folder'] or about['sizes']}; {about['licence']}")
    print("licences of public weights")
    for name, licence in found["licences"].items():
        print(f"  {name:34} {licence}")
    return 0


def collect(model: str) -> dict[str, Any]:
    """Versions, what each extra lacks, the model's card and licences as plain data."""
    # Imported here: every command loads this file, and these cost a tenth of a run's start.
    import importlib.metadata
    import platform
    from dataclasses import asdict

    from geco.model_files.products import PRODUCTS
    from geco.onnx_runtime.providers import devices
    from geco.pipeline import GecoPipeline
    from geco.public_weights.licences import LICENCES
    from geco.version import __version__

    card = GecoPipeline.from_pretrained(model).card
    return {
        "geco": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "runtime": {name: importlib.metadata.version(name) for name in RUNTIME if not _is_missing(name)},
        "devices": devices(),
        "extras": missing_packages(),
        "model": asdict(card),
        "licences": LICENCES,
        "products": {name: _about(product) for name, product in PRODUCTS.items()},
    }


def _about(product: Product) -> dict[str, str]:
    """What a public model is, what it takes, and where it lies: "" if it is not here."""
    where = str(product.folder) if product.is_here() else ""
    return {"what": product.what, "sizes": product.sizes(), "licence": product.licence, "folder": where}


def missing_packages() -> dict[str, list[str]]:
    """Every extra and the distributions that it lacks here, read off the installed package's metadata; empty
    where GECO runs from its source without being installed.
    """
    from importlib import metadata

    try:
        about = metadata.metadata(PACKAGE)
    except metadata.PackageNotFoundError:
        return {}
    extras = about.get_all("Provides-Extra") or []
    lines = about.get_all("Requires-Dist") or []
    return {extra: sorted(filter(_is_missing, required(lines, extra)), key=str.lower) for extra in extras}


def required(lines: Sequence[str], extra: str) -> set[str]:
    """The distributions that an extra names, those of extras within it too.

    Args:
        lines: ``Requires-Dist`` as metadata has it: ``name[extras]>=1; extra == "torch"``.
    """
    found: set[str] = set()
    for line in lines:
        wanted = _EXTRA.search(line)
        name, inner = _NAME.match(line), _INNER.match(line)
        if wanted is None or wanted[1] != extra or name is None:
            continue
        if name[0].lower() != PACKAGE:
            found.add(name[0])
            continue
        for other in inner[1].split(",") if inner else ():
            found |= required(lines, other.strip())
    return found


def _is_missing(name: str) -> bool:
    from importlib import metadata

    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return True
    return False
