"""GECO: one picture of an object to a textured 3D mesh within a second.

>>> from geco import GecoPipeline
>>> asset = GecoPipeline.from_pretrained("small")("photo.png", seed=0)
>>> asset.save("photo.glb")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from geco.version import __version__

if TYPE_CHECKING:
    from geco.asset import Asset
    from geco.mesh import Mesh
    from geco.pipeline import GecoPipeline

__all__ = ["Asset", "GecoPipeline", "Mesh", "__version__"]


def __getattr__(name: str) -> Any:
    # Resolved on first use, so that `geco --help` does not pay for numpy and the runtime.
    import importlib

    from geco.clash import check

    homes = {"GecoPipeline": "geco.pipeline", "Asset": "geco.asset", "Mesh": "geco.mesh"}
    if name not in homes:
        raise AttributeError(f"module 'geco' has no attribute {name!r}")
    check()
    return getattr(importlib.import_module(homes[name]), name)
