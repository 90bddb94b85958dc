"""The face of the room: one seen picture to an asset, from nothing or from a result of ``geco run``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from geco.asset import Asset
from geco.asset_options import AssetOptions
from geco.loading import folder_of
from geco.marks import mark_text
from geco.mesh.types import Mesh
from geco.optimize.options import OptimizeOptions
from geco.optimize.refine import Refinement
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
    o, card = options or OptimizeOptions(), backend.card
    task = Scratch(Teacher.of(backend), _condition(seen), seen.picture, o, seed)
    progress = run(task, o.preview_steps, o.patience, folder, mark_text("preview", seen.source), on_step)
    best, found = best_of(task.particles)
    asked = asset_options or AssetOptions()
    asset = asset_of(task.particles[best], seen, asked, card.texture_size, seed, card.name)
    facts = {"input_psnr": round(found[best], 2), "particle": best}
    return _made(asset, progress, o, facts | {"particles_psnr": [round(value, 2) for value in found]})


def refine(
    seen: Seen,
    backend: TorchBackend,
    mesh: Mesh,
    options: OptimizeOptions | None = None,
    seed: int = 0,
    folder: Path | None = None,
    on_step: OnStep | None = None,
) -> Made:
    """A result of the same picture made better: its vertices moved, its texture painted over, everything else
    kept. Arguments and errors as of :func:`optimize`.

    Args:
        mesh: textured or coloured, world space, its input side facing +x.
    """
    o, card = options or OptimizeOptions(), backend.card
    task = Refinement(Teacher.of(backend), _condition(seen), seen.picture, mesh, o, seed)
    before = task.psnr()  # of the start, also where a checkpoint goes on from further
    progress = run(task, o.preview_steps, o.patience, folder, mark_text("preview", seen.source), on_step)
    views, made = task.views(), task.shape.mesh()
    facts = {**seen.facts, "faces": len(made.faces), "vertices": len(made.vertices)}
    facts["input_camera"] = task.picture.camera.summary()
    asset = Asset(made, views, seen.picture, {"total": 0.0}, seed, card.name, facts, seen.source)
    return _made(asset, progress, o, {"input_psnr": [round(before, 2), round(task.psnr(), 2)]})


def _condition(seen: Seen) -> Tensor:
    """(3, S, S) in [0, 1], as the teacher reads it."""
    return torch.from_numpy(seen.condition.rgb).permute(2, 0, 1).contiguous()


def _made(asset: Asset, progress: Progress, options: OptimizeOptions, facts: Mapping[str, Any]) -> Made:
    asset.facts["optimize"] = {**options.to_dict(), **facts, "steps_done": progress.step}
    asset.timings = {"optimize": progress.seconds, **asset.timings}
    asset.timings["total"] += progress.seconds
    return Made(asset, progress)
