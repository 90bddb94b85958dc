"""An optimised particle to a finished asset, by the same hands as every other result."""

from __future__ import annotations

import numpy as np

from geco.asset import Asset
from geco.asset_options import AssetOptions
from geco.cameras import INPUT_LENS
from geco.isosurface.flexicubes_numpy import extract
from geco.mesh.types import Mesh
from geco.optimize.particle import Particle
from geco.optimize.surface import SoftSurface
from geco.painting import Paint, painted
from geco.photo.surface import Surface
from geco.reconstruct.fields import no_object
from geco.seen import Seen
from geco.surface_to_asset import clean
from geco.timing import Stopwatch


def asset_of(
    particle: Particle, seen: Seen, options: AssetOptions, texture_size: int, seed: int, model: str
) -> Asset:
    """The mesh, unwrapped, its colours baked, the picture laid on where it agrees.

    Args:
        texture_size: where ``options`` name none. model: of the teacher, for the file.

    Raises:
        MeshError: there is no surface.
    """
    watch, shape = Stopwatch(), particle.shape
    with watch.stage("surface"):
        if not isinstance(shape, SoftSurface):
            shape = SoftSurface.about(shape, particle.options.mesh_cells, particle.options.edge[1])
        bare = Mesh(*extract(shape.grid(particle.options.mesh_cells)))
    with watch.stage("clean"):
        mesh = clean(bare, options)
        if not len(mesh.faces):
            raise no_object()
    camera = particle.picture.camera
    made = Surface(mesh, shape.color, camera)
    shown = seen.picture if options.projection else None
    method = None if options.vertex_colors else options.uv_method
    paint = Paint(made, shown, seen.detail, INPUT_LENS, method)
    finished, facts = painted(mesh, paint, options.texture_size or texture_size, watch)
    views = particle.views(particle.options.steps)[0]
    return Asset(
        finished, views, seen.picture, watch.finish(), seed, model, {**seen.facts, **facts}, seen.source
    )


def best_of(particles: list[Particle]) -> tuple[int, list[float]]:
    """Which particle shows the picture best, by PSNR (dB) of its input view; and those of all."""
    found = []
    for particle in particles:
        own = particle.views(particle.options.steps)[1]
        picture = particle.picture.at(own.shape[0])[0].cpu().numpy()
        found.append(float(-10 * np.log10(max(float(np.square(own - picture).mean()), 1e-10))))
    return int(np.argmax(found)), found
