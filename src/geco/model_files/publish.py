"""A run folder as one to hand on (``geco publish``).

The same model folder without checkpoints, logs and pictures, weights in float16, and with a page about it
(:mod:`geco.model_files.hub_page`); every command reads it as any other. Loss curves (``curves.png``) and
``training.json`` come along: they say where it is from. Tensors are read and written one by one, so memory
does not depend on the model's size.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from geco.errors import GecoError, OutputError, WeightsError
from geco.files import atomic_path, atomic_write, sweep_below
from geco.foreign import read_fields
from geco.locks import LOCK, locked
from geco.model_files.card import (
    CARD,
    HALF_ABOVE,
    MULTIVIEW,
    PIXELNERF,
    RECONSTRUCTOR,
    read_model_card,
    shown_name,
)
from geco.model_files.folder import read_part, write_part
from geco.model_files.hub_page import README, Page, is_own, write_page
from geco.model_files.manifest import FILES, Manifest, entry
from geco.model_files.part import read_part_card
from geco.model_files.stream import Format, rewrite
from geco.model_files.swap import WORK, swapped
from geco.outputs import check_folder

UNFINISHED = ".publishing"  # there until all is written
TOTALS, CURVES = "training.json", "curves.png"
BESIDE = (CURVES, TOTALS)
FAMILIES = ("small", "full", PIXELNERF)
EXACT = "synthesizer."  # InstantMesh's decoders on its planes: the zero of what they say is the surface
TEXT = "text"  # the empty prompt's states


def publish(run: Path, folder: Path, metrics: str = "", name: str | None = None) -> dict[str, Any]:
    """Write ``folder``; returns the card, which is written last.

    Args:
        run: a model folder of the small or the full family, or PixelNeRF's.
        folder: new, empty, or what this wrote of the same run before; after a failure it is as it was. A page
            that somebody has changed since is left as it is.
        metrics: Markdown of an evaluation, for the page.
        name: what the page calls the model (OWNER/NAME of the hub); the folder's name if left out.

    Raises:
        WeightsError: ``run`` is no such model folder, or a half of it cannot be read.
        OutputError: ``folder`` holds something, cannot be written, or another process is writing it.
    """
    card = read_model_card(run)
    halves = [half for half in (MULTIVIEW, RECONSTRUCTOR) if (run / half).is_dir()]
    if card["family"] not in FAMILIES or not halves:
        what = f"is of the family {card['family']!r}" if halves else "holds no weights"
        raise WeightsError(
            f"{run} {what}", "Give the run folder of a finished stage, of the small or the full family."
        )
    check_folder(folder, (), lambda _: False)
    if folder.exists() and folder.samefile(run):
        raise OutputError(f"{folder} is the run itself", "Give another folder with -o.")
    with locked(folder, LOCK):
        begun = folder / UNFINISHED
        killed = begun.exists()
        if not (killed or _is_earlier(folder, card)) and any(p.name != LOCK for p in folder.iterdir()):
            raise OutputError(f"{folder} is not empty", "Give a new folder with -o.")
        atomic_write(begun, b"")  # what comes here from now on is ours: after a kill it is made again
        try:
            sweep_below(folder)
            with swapped(folder) as work:
                page = Page(
                    work, card, name or f"./{shown_name(folder)}", _totals(run), metrics, _has_curves(run)
                )
                _write(run, halves, page, folder)
        except BaseException:
            if not killed:
                begun.unlink(missing_ok=True)
            raise
        begun.unlink(missing_ok=True)
    return card


def _write(run: Path, halves: Sequence[str], page: Page, folder: Path) -> None:
    """Everything into ``page.folder``, which takes its place in ``folder`` later; the card last."""
    round_halves(run, halves, page.folder, page.card["family"])
    for name in BESIDE:
        if (run / name).is_file():
            atomic_write(page.folder / name, (run / name).read_bytes())
    if (folder / README).exists() and not is_own(folder / README):
        print(f"geco: {folder / README} was changed by hand and stays as it is", file=sys.stderr)
    else:
        write_page(page, page.folder / README)
    atomic_write(page.folder / CARD, json.dumps(page.card, indent=1).encode())


def round_halves(run: Path, halves: Sequence[str], folder: Path, family: str) -> None:
    """The halves of a model into another folder, each tensor in the format that is published.

    Raises:
        WeightsError: one cannot be read, or holds a number that float16 does not. OutputError: one cannot be
            written.
    """
    for half in halves:
        about = read_part_card(run / half)
        listed, files = Manifest(about), {}
        for name in sorted(listed.entries):
            source, target = run / half / name, folder / half / name
            listed.check(source)
            with atomic_path(target) as temporary:
                rewrite(source, temporary, _format(family, Path(name).stem))
                files[name] = entry(temporary)
        settings = {name: value for name, value in about.values.items() if name != FILES}
        atomic_write(folder / half / CARD, (json.dumps({**settings, FILES: files}, indent=1) + "\n").encode())


def write_halves(run: Path, halves: Sequence[str], folder: Path) -> None:
    """The parts of a small model folder into another one, large tensors in float16; a kill at any moment
    leaves a folder that loads.

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


def halved(tensor: torch.Tensor) -> torch.Tensor:
    """float16 for large float tensors, anything else as it is."""
    return tensor.half() if tensor.is_floating_point() and tensor.numel() > HALF_ABOVE else tensor


def _format(family: str, stem: str) -> Format:
    """How the tensors of a file are stored; nothing is widened but bfloat16, of which the runtime without
    torch knows nothing.
    """

    def stored(name: str, shape: tuple[int, ...], dtype: torch.dtype) -> torch.dtype:
        if not dtype.is_floating_point or dtype == torch.float16:
            return dtype
        small = math.prod(shape) <= HALF_ABOVE
        exact = stem == TEXT or name.startswith(EXACT) or len(shape) < 2
        return torch.float32 if small or (family == "full" and exact) else torch.float16

    return stored


def _totals(run: Path) -> dict[str, Any]:
    """Of the last stage, as its training wrote them; nothing where there is no such file, or it cannot be
    read: the page then says nothing of it.
    """
    try:
        return dict(read_fields(run / TOTALS, WeightsError).values)
    except GecoError:
        return {}


def _has_curves(run: Path) -> bool:
    return (run / CURVES).is_file()


def _is_earlier(folder: Path, card: dict[str, Any]) -> bool:
    """Whether the folder holds what :func:`publish` wrote of a run with this card, and nothing else."""
    names = {path.name for path in folder.iterdir()} - {LOCK, UNFINISHED, WORK}
    if CARD not in names or not names <= {MULTIVIEW, RECONSTRUCTOR, CARD, README, *BESIDE}:
        return False
    try:
        return read_model_card(folder) == card
    except WeightsError:
        return False
