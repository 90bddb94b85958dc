"""Public weights as one model folder: both halves of the full family, or TripoSR."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from geco.full_model import FULL_RESOLUTION, FULL_TEXTURE_SIZE
from geco.model_files.card import CARD, MULTIVIEW, RECONSTRUCTOR, Usage, is_model, write_model_card
from geco.model_files.hub import INSTANTMESH, is_hub_id
from geco.model_files.products import INSTANTMESH_UNET
from geco.model_files.swap import check_apart, swapped
from geco.outputs import check_folder

# What the public pipelines run the views' networks in (their torch_dtype=torch.float16).
PUBLIC_PRECISION = "float16"
PRECISIONS: dict[str, torch.dtype | None] = {"float16": torch.float16, "float32": None}


@dataclass(frozen=True)
class Halves:
    """What a model is made of.

    Attributes:
        multiview: a hub id of Zero123++ or a diffusers folder.
        reconstructor: InstantMesh's, as :func:`geco.public_weights.instantmesh.find` takes it.
        unet: in place of the first one's own; None keeps that.
        rig: camera rig of the views; None reads it off the source.
        revision: commit of ``multiview``'s repository instead of the pinned one.
        settings: a file with the reconstructor's settings, where it is of other sizes than the released.
    """

    multiview: str | os.PathLike[str]
    reconstructor: str | os.PathLike[str]
    unet: str | os.PathLike[str] | None = None
    rig: str | None = None
    revision: str | None = None
    settings: str | os.PathLike[str] | None = None

    def local(self) -> list[str | os.PathLike[str]]:
        """Those that are on this machine, or are taken for it."""
        from geco.public_weights.instantmesh import FILES

        given = [self.multiview, self.reconstructor, self.unet, self.settings]
        return [name for name in given if name is not None and not is_hub_id(name) and str(name) not in FILES]


def convert_public(
    halves: Halves, output: str | os.PathLike[str], precision: str = PUBLIC_PRECISION
) -> dict[str, Any]:
    """Public Zero123++ and InstantMesh weights as one model folder; returns its card.

    All sources are found, and the reconstructor is compared with its settings, before anything is written;
    after a failure the folder is as it was.

    Args:
        precision: "float16" for the views' networks as the public pipelines run them; "float32" keeps what
            the sources have. InstantMesh stays in float32, as the public code runs it.

    Raises:
        WeightsError: a source is missing, damaged or of another model. OutputError: the folder cannot be
            written, holds something else's config.json, or one of the sources.
    """
    from geco.public_weights import instantmesh
    from geco.public_weights.instantmesh_yaml import read_settings
    from geco.public_weights.zero123plus import TEACHER, open_zero123plus, write_zero123plus

    folder = Path(output)
    check_folder(folder, [CARD], is_model)
    check_apart(halves.local(), folder)
    settings = None if halves.settings is None else read_settings(Path(halves.settings))
    if halves.reconstructor in halves.local():
        # a slip of the pen is said before gigabytes are fetched
        instantmesh.local(Path(halves.reconstructor))
    views = open_zero123plus(halves.multiview, halves.unet, halves.revision)
    checkpoint = instantmesh.open_checkpoint(str(halves.reconstructor), settings)
    with swapped(folder) as work:
        card = write_zero123plus(views, work / MULTIVIEW, halves.rig, PRECISIONS[precision])
        instantmesh.write(checkpoint, work / RECONSTRUCTOR)
        licence = f"views: {card['licence']}; reconstructor: {checkpoint.facts['licence']}"
        usage = Usage(FULL_RESOLUTION, FULL_TEXTURE_SIZE, TEACHER)
        return write_model_card(work, "full", licence, usage.to_dict())


def usual_unet(
    multiview: str | os.PathLike[str], reconstructor: str | os.PathLike[str] = ""
) -> str | os.PathLike[str] | None:
    """What InstantMesh and GECO put in place of Zero123++ v1.2's own UNet, which paints on grey:
    InstantMesh's reconstructors were trained on views over white. None for v1.1, for which there is none.

    A copy that lies beside ``reconstructor`` (or in it, a folder) comes before the hub's.
    """
    if "v1.1" in os.fspath(multiview):
        return None
    given = Path(reconstructor)
    for folder in (given, given.parent) if os.fspath(reconstructor) else ():
        if folder != Path() and (folder / INSTANTMESH_UNET).is_file():
            return folder / INSTANTMESH_UNET
    return INSTANTMESH
