"""A run folder as one to hand on: ``python -m geco.model_files.publish RUN -o FOLDER``.

The same model folder without checkpoints, logs and pictures, weights in float16 (what the exporter stores
too), which every command reads as any other. Loss curves (``curves.png``) and ``training.json`` come along:
they say where it is from.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from geco.errors import OutputError, WeightsError
from geco.files import atomic_write
from geco.foreign import read_fields
from geco.model_files.card import CARD, HALF_ABOVE, MULTIVIEW, RECONSTRUCTOR, read_card
from geco.model_files.folder import check_part, read_safetensors, write_part
from geco.model_files.manifest import FILES

BESIDE = ("curves.png", "training.json")


def publish(run: Path, folder: Path) -> dict[str, Any]:
    """Write ``folder``; returns the card, which is written last.

    Args:
        run: a model folder of the small family. folder: new or empty.

    Raises:
        WeightsError: ``run`` is no model folder, or a half of it cannot be read. OutputError: ``folder``
            holds something.
    """
    card = read_card(run)
    if folder.exists() and any(folder.iterdir()):
        raise OutputError(f"{folder} is not empty", "Give a new folder with -o.")
    halves = [half for half in (MULTIVIEW, RECONSTRUCTOR) if (run / half).is_dir()]
    if not halves:
        raise WeightsError(f"{run} holds no weights", "Give the run folder of a finished stage.")
    for half in halves:
        about = read_fields(run / half / CARD, WeightsError, "Train or fetch it again.")
        settings = {name: value for name, value in about.values.items() if name != FILES}
        for path in sorted((run / half).glob("*.safetensors")):
            tensors = read_safetensors(check_part(run / half, about, path.stem))
            write_part(
                folder / half, path.stem, {name: halved(value) for name, value in tensors.items()}, settings
            )
    for name in BESIDE:
        if (run / name).is_file():
            atomic_write(folder / name, (run / name).read_bytes())
    atomic_write(folder / CARD, json.dumps(card, indent=1).encode())
    return card


def halved(tensor: torch.Tensor) -> torch.Tensor:
    """float16 for large float tensors, anything else as it is."""
    return tensor.half() if tensor.is_floating_point() and tensor.numel() > HALF_ABOVE else tensor


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="run folder of a stage")
    parser.add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args()
    card = publish(args.run, args.output)
    size = sum(path.stat().st_size for path in args.output.rglob("*.safetensors"))
    print(f"{args.output}: {card['facts'].get('stage', card['family'])}, {size / 2**20:.1f} MiB of weights")


if __name__ == "__main__":
    main()
