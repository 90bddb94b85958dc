"""``geco info``: what is installed, what the embedded model is, and under which licences."""

from __future__ import annotations

import argparse
import json
from typing import Any

# extra -> the modules that it brings, as they are imported
EXTRAS = {
    "torch": ("torch", "diffusers", "transformers", "accelerate", "huggingface_hub", "numba", "onnx"),
    "mesh": ("trimesh", "xatlas", "numba"),
    "matting": ("rembg",),
    "heic": ("pillow_heif",),
    "video": ("imageio_ffmpeg",),
    "usd": ("pxr",),
    "web": ("fastapi", "uvicorn", "multipart"),
}


def add(commands: Any) -> None:
    """Add the command's arguments."""
    command: argparse.ArgumentParser = commands.add_parser(
        "info", help="show versions, the model, extras and licences"
    )
    command.add_argument(
        "--model", default="small", help="model to describe (default: small, the embedded one)"
    )
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
    print("extras")
    for name, missing in found["extras"].items():
        print(
            f"  {name:12} "
            f"{'installed' if not missing else 'not installed (pip install ' + repr(f'geco3d[{name}]') + ')'}"
        )
    print(f"model {found['model']['name']}")
    for name, value in found["model"].items():
        if name not in ("name", "facts"):
            print(f"  {name:22} {value}")
    for name, value in found["model"]["facts"].items():
        print(f"  {name:22} {value}")
    print("licences of public weights (not part of this package)")
    for name, licence in found["licences"].items():
        print(f"  {name:34} {licence}")
    return 0


def collect(model: str) -> dict[str, Any]:
    """Versions, extras, the model's card and licences as plain data."""
    # Imported here: every command loads this file, and these cost a tenth of a run's start.
    import importlib.metadata
    import importlib.util
    import platform
    from dataclasses import asdict

    from geco.pipeline import GecoPipeline
    from geco.public_weights.licences import LICENCES
    from geco.version import __version__

    card = GecoPipeline.from_pretrained(model).card
    runtime = {
        name: importlib.metadata.version(name) for name in ("numpy", "onnxruntime", "Pillow", "safetensors")
    }
    return {
        "geco": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "runtime": runtime,
        "extras": {
            name: [m for m in modules if importlib.util.find_spec(m) is None]
            for name, modules in EXTRAS.items()
        },
        "model": asdict(card),
        "licences": LICENCES,
    }
