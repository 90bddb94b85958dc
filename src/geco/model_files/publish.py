"""A run folder as one to hand on (``geco publish``).

The same model folder without checkpoints, logs and pictures, weights in float16 (what the exporter stores
too), which every command reads as any other. Loss curves (``curves.png``) and ``training.json`` come along:
they say where it is from.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from geco.errors import OutputError, WeightsError
from geco.files import atomic_write, sweep_below
from geco.locks import LOCK, locked
from geco.model_files.card import CARD, HALF_ABOVE, MULTIVIEW, PIXELNERF, RECONSTRUCTOR, read_model_card
from geco.model_files.folder import read_part, write_part
from geco.model_files.manifest import FILES
from geco.model_files.part import read_part_card
from geco.outputs import check_folder

UNFINISHED = ".publishing"  # there until all is written
BESIDE = ("curves.png", "training.json")


def publish(run: Path, folder: Path) -> dict[str, Any]:
    """Write ``folder``; returns the card, which is written last.

    Args:
        run: a model folder of the small family, or PixelNeRF's.
        folder: new, empty, or what this wrote of the same run before; after a failure it is as it was.

    Raises:
        WeightsError: ``run`` is no such model folder, or a half of it cannot be read.
        OutputError: ``folder`` holds something, cannot be written, or another process is writing it.
    """
    card = read_model_card(run)
    halves = [half for half in (MULTIVIEW, RECONSTRUCTOR) if (run / half).is_dir()]
    if card["family"] not in ("small", PIXELNERF) or not halves:
        what = f"is of the family {card['family']!r}" if halves else "holds no weights"
        raise WeightsError(f"{run} {what}", "Give the run folder of a finished stage of the small family.")
    check_folder(folder, (), lambda _: False)
    if folder.exists() and folder.samefile(run):
        raise OutputError(f"{folder} is the run itself", "Give another folder with -o.")
    with locked(folder, LOCK):
        if _is_earlier(folder, card):  # the same files over themselves
            _write(run, halves, folder, card)
            return card
        mark = folder / UNFINISHED
        if not mark.exists() and any(path.name != LOCK for path in folder.iterdir()):
            raise OutputError(f"{folder} is not empty", "Give a new folder with -o.")
        atomic_write(mark, b"")  # what comes here from now on is ours: after a kill it is made again
        try:
            _clear(folder)
            _write(run, halves, folder, card)
        except BaseException:
            _clear(folder)
            raise
        finally:
            mark.unlink(missing_ok=True)
    return card


def _write(run: Path, halves: list[str], folder: Path, card: dict[str, Any]) -> None:
    write_halves(run, halves, folder)
    for name in BESIDE:
        if (run / name).is_file():
            atomic_write(folder / name, (run / name).read_bytes())
    atomic_write(folder / CARD, json.dumps(card, indent=1).encode())


def write_halves(run: Path, halves: Sequence[str], folder: Path) -> None:
    """The parts of a model folder into another one, large tensors in float16.

    Raises:
        WeightsError: one cannot be read. OutputError: one cannot be written.
    """
    for half in halves:
        about = read_part_card(run / half)
        settings = {name: value for name, value in about.values.items() if name != FILES}
        for path in sorted((run / half).glob("*.safetensors")):
            tensors = read_part(run / half, about, path.stem)
            write_part(
                folder / half, path.stem, {name: halved(value) for name, value in tensors.items()}, settings
            )


def _is_earlier(folder: Path, card: dict[str, Any]) -> bool:
    """Whether the folder holds what :func:`publish` wrote of a run with this card, and nothing else."""
    names = {path.name for path in folder.iterdir()} - {LOCK}
    if CARD not in names or not names <= {MULTIVIEW, RECONSTRUCTOR, CARD, *BESIDE}:
        return False
    try:
        return read_model_card(folder) == card
    except WeightsError:
        return False


def _clear(folder: Path) -> None:
    """Remove all that :func:`_write` writes."""
    sweep_below(folder)
    for half in (MULTIVIEW, RECONSTRUCTOR):
        shutil.rmtree(folder / half, ignore_errors=True)
    for name in (*BESIDE, CARD):
        (folder / name).unlink(missing_ok=True)


def halved(tensor: torch.Tensor) -> torch.Tensor:
    """float16 for large float tensors, anything else as it is."""
    return tensor.half() if tensor.is_floating_point() and tensor.numel() > HALF_ABOVE else tensor
