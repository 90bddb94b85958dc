"""The public repositories at tiny size: every file in its place, a few thousand numbers in each."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch

from geco.model_files.hub import INSTANTMESH, TRIPOSR, ZERO123PLUS
from geco.public_weights.triposr_settings import ENCODER
from geco.reconstruct.instantmesh.config import RELEASED, InstantMeshConfig
from geco.reconstruct.instantmesh.decoders import NERF_LEVEL
from geco.reconstruct.instantmesh.model import InstantMesh
from tests.hub.server import files_of
from tests.public_weights import instantmesh_checkpoint, triposr_folder, zero123plus_folder
from tests.reconstruct import tiny

DENSITY = 25.0  # TripoSR's level of the surface
LAYERS = {"base": 1, "large": 2}  # blocks, by which a checkpoint is recognised


def settings() -> dict[str, InstantMeshConfig]:
    """In place of the four released ones."""
    return {
        name: tiny.config(config.kind, transformer_layers=LAYERS[name.rpartition("-")[2]])
        for name, config in RELEASED.items()
    }


def repositories(folder: Path) -> dict[str, dict[str, bytes]]:
    """Hub id -> path -> bytes; ``folder`` is written into on the way."""
    views = zero123plus_folder.write(folder / "views")
    other = folder / "instantmesh"
    other.mkdir()
    # as it is published: in float16, and of other numbers than Zero123++'s own
    unet = {name: (value + 0.01).half() for name, value in views["unet"].state_dict().items()}
    torch.save(unet, other / "diffusion_pytorch_model.bin")
    for name, config in settings().items():
        instantmesh_checkpoint.write(other / f"{name.replace('-', '_')}.ckpt", _random(config))
    found = {ZERO123PLUS: files_of(folder / "views"), INSTANTMESH: files_of(other)}
    found[INSTANTMESH]["README.md"] = b"---\nlicense: apache-2.0\n---\n"
    found[TRIPOSR] = _triposr(folder / "triposr")
    return found


def _triposr(folder: Path) -> dict[str, bytes]:
    made = tiny.triposr()
    with torch.no_grad():
        planes = made(torch.rand(1, 3, 32, 32))
        middle = made.outputs(planes, torch.rand(1, 500, 3) * 0.6 - 0.3)[..., 0].median()

    def settings(values: dict[str, Any]) -> None:
        values["image_tokenizer"]["pretrained_model_name_or_path"] = ENCODER
        values["renderer"]["density_bias"] = math.log(DENSITY) - float(middle)

    triposr_folder.write(folder, made, change_settings=settings)
    return files_of(folder)


def _random(config: InstantMeshConfig) -> InstantMesh:
    """Random weights whose field holds something: half of all points are inside."""
    changes = {"transformer_layers": config.transformer_layers}
    made = tiny.model(config.kind, **changes)
    points = torch.rand(1, 500, 3) * 1.2 - 0.6
    with torch.no_grad():
        planes = made(*tiny.views(count=6))
        if config.kind == "mesh":
            middle = made.synthesizer.sdf(planes, points[0]).median()
            made.synthesizer.decoder.net_sdf[-1].bias[0] -= middle
        else:
            middle = made.synthesizer.raw(planes, points)[1].median() - NERF_LEVEL - 1
            made.synthesizer.decoder.net[-1].bias[0] -= middle
    return made
