"""Views of textured objects: colour, coverage, depth, normals and positions (docs/data-rendering.md).

One call renders every view of one object on one core with a z-buffer compiled by numba (extra ``data``); run
several processes for more. ``geco.data.render.blender`` renders the same cameras with Cycles.
"""

from geco.data.render.framing import frame_to_fill, lens
from geco.data.render.kernels import SUPERSAMPLE
from geco.data.render.occlusion import AmbientOcclusion
from geco.data.render.types import CHANNELS, Light, Views
from geco.data.render.views import NEAR_PLANE, render_views

__all__ = [
    "CHANNELS",
    "NEAR_PLANE",
    "SUPERSAMPLE",
    "AmbientOcclusion",
    "Light",
    "Views",
    "frame_to_fill",
    "lens",
    "render_views",
]
