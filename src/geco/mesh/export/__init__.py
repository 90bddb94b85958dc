"""Meshes to files, one module a format: GLB, OBJ + MTL, PLY, STL, USDZ."""

from geco.mesh.export.save import FORMATS, save

__all__ = ["FORMATS", "save"]
