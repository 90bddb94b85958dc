"""Pictures to meshes, stage by stage, and what the node gives of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from geco import Asset, GecoPipeline
from geco.choices import Asked
from geco.errors import GecoError

from . import tensors
from .files import Place, Saved
from .progress import Progress


@dataclass(frozen=True)
class Work:
    """What all pictures of a run have in common.

    Attributes:
        seeds: of all samples of a picture, ``best_of`` in a row each.
    """

    pipeline: GecoPipeline
    asked: Asked
    seeds: range
    place: Place

    def meshes(self, pictures: list[np.ndarray]) -> list[Saved]:
        """One mesh a picture and seed, each on disk before the next begins.

        Raises:
            GecoError: a picture, a choice or a place cannot be used; of several pictures it says which.
            InterruptProcessingException: the user has asked to stop.
        """
        samples = len(self.seeds) // self.asked.mesh.best_of
        progress = Progress(len(pictures) * (1 + len(self.seeds) + samples))
        made: list[Saved] = []
        for number, picture in enumerate(pictures, 1):
            try:
                self._of(picture, progress, made)
            except GecoError as error:
                if len(pictures) > 1:
                    error.args = (f"picture {number} of {len(pictures)}: {error}",)
                raise
        return made

    def _of(self, picture: np.ndarray, progress: Progress, made: list[Saved]) -> None:
        asked, pipeline = self.asked, self.pipeline
        sampling = pipeline.sampling(**asked.views.asked)
        at_once = pipeline.at_once(asked.mesh, sampling)
        seen = pipeline.see(picture, **asked.picture)
        progress.done()
        drawn = _shown(pipeline.views(seen, self.seeds, sampling, progress.step, at_once), progress)
        for _ in range(len(self.seeds) // asked.mesh.best_of):
            made.append(self.place.save(pipeline.best(islice(drawn, asked.mesh.best_of), seen, asked.mesh)))
            progress.done()


def _shown(drawn: Iterator[Any], progress: Progress) -> Iterator[Any]:
    """The same, each shown on the node."""
    for views in drawn:
        progress.done(tensors.sheet(views.pictures))
        yield views


def outputs(made: list[Saved]) -> tuple[Any, ...]:
    """The node's outputs in its order: paths, meshes, views, cut-outs, their masks, facts."""
    assets = [each.asset for each in made]
    seen = {id(asset.picture): asset.picture for asset in assets}  # one picture, many seeds
    cutout, mask = tensors.cutouts(list(seen.values()))
    kind = _mesh_type()
    return (
        [each.path for each in made],
        [tensors.mesh(asset.mesh, kind) for asset in assets],
        tensors.image([view for asset in assets for view in asset.views]),
        cutout,
        mask,
        [_facts(asset) for asset in assets],
    )


def _facts(asset: Asset) -> str:
    about = {name: value for name, value in asset.extras().items() if name not in ("prompt", "workflow")}
    return json.dumps({**about, "timings": {name: round(each, 4) for name, each in asset.timings.items()}})


def _mesh_type() -> type:
    """The class that ComfyUI's own nodes expect behind MESH; newer versions keep it with their API."""
    try:
        from comfy_api.latest import Types

        return Types.MESH  # type: ignore[no-any-return]
    except (ImportError, AttributeError):
        from comfy_extras.nodes_hunyuan3d import MESH as Mesh

        return Mesh  # type: ignore[no-any-return]
