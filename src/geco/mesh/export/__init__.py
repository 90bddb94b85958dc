"""Meshes to files, one module a format: GLB, OBJ + MTL, PLY, STL, USDZ, 3MF."""

from geco.mesh.export.metadata import About
from geco.mesh.export.names import object_name
from geco.mesh.export.options import FileOptions
from geco.mesh.export.save import FORMATS, encode, save
from geco.mesh.export.sizes import check_size

__all__ = ["FORMATS", "About", "FileOptions", "check_size", "encode", "object_name", "save"]
