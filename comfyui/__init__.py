"""GECO's nodes for ComfyUI: one picture of an object to a textured 3D mesh within a second, on any CPU."""

try:
    import geco  # noqa: F401
except ImportError as error:
    raise ImportError(
        "GECO's nodes need the package geco3d in ComfyUI's own Python: python -m pip install geco3d"
    ) from error

from .nodes import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]
