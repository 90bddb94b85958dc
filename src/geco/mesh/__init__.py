"""From a surface to an asset: cleaning, unwrapping, baking and export. numpy only."""

from geco.mesh.types import Mesh

__all__ = ["Mesh"]
