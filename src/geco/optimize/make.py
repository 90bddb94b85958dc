"""The face of the room: one seen picture to an asset, from nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch

from geco.asset import Asset
from geco.asset_options import AssetOptions
from geco.loading import folder_of
from geco.marks import mark_text
from geco.optimize.options import OptimizeOptions
from geco.optimize.result import asset_of, best_of
from geco.optimize.run import OnStep, Progress, run
from geco.optimize.scores import Teacher
from geco.optimize.scratch import Scratch
from geco.seen import Seen
from geco.torch_runtime.backend import TorchBackend
from geco.torch_runtime.folder import load_backend


@dataclass(frozen=True)
class Made:
    """An optimised object.

    Attributes:
        asset: as of a pipeline, with ``optimize`` in its facts.
        progress: what it took.
    """

    asset: Asset
    progress: Progress


def load_teacher(model: str | os.PathLike[str], device: str | None = None) -> TorchBackend:
    """A model by its folder or name, on torch whatever graphs it has; errors as of
    :meth:`geco.pipeline.GecoPipeline.from_pretrained`, and ConfigError where it is no teacher.
    """
    backend = load_backend(folder_of(model), device, os.fspath(model))
    Teacher.of(backend)
    return backend


def optimize(
    seen: Seen,
    backend: TorchBackend,
    options: OptimizeOptions | None = None,
    seed: int = 0,
    asset_options: AssetOptions | None = None,
    folder: Path | None = None,
    on_step: OnStep | None = None,
) -> Made:
    """One object from nothing but a picture and a teacher; the same for the same seed, machine and threads.

    Args:
        seen: the picture, of a pipeline on ``backend``.
        backend: the teacher, of :func:`load_teacher`.
        asset_options: what the mesh shall be like.
        folder: for previews and checkpoints, from which it goes on; None: neither.
        on_step: called after every update.

    Raises:
        ConfigError: the model is no teacher. MeshError: no surface is left. WeightsError, OutputError: of the
            folder.
    """
    options, card = options or OptimizeOptions(), backend.card
    condition = torch.from_numpy(seen.condition.rgb).permute(2, 0, 1).contiguous()
    task = Scratch(Teacher.of(backend), condition, seen.picture, options, seed)
    mark = mark_text("preview", seen.source)
    progress = run(task, options.preview_steps, options.patience, folder, mark, on_step)
    best, found = best_of(task.particles, seen)
    asset = asset_of(
        task.particles[best], seen, asset_options or AssetOptions(), card.texture_size, seed, card.name
    )
    asset.facts["optimize"] = {
        **options.to_dict(),
        "steps_done": progress.step,
        "input_psnr": [round(value, 2) for value in found],
        "particle": best,
    }
    asset.timings = {"optimize": progress.seconds, **asset.timings}
    asset.timings["total"] += progress.seconds
    return Made(asset, progress)
