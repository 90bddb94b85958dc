"""Procedural objects: unlimited textured shapes by seed, so that a machine without any data can train."""

from geco.data.procedural.families import FAMILIES, family_of, make_object
from geco.data.procedural.write import object_seed, write_objects

__all__ = ["FAMILIES", "family_of", "make_object", "object_seed", "write_objects"]
