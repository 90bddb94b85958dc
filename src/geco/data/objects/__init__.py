"""Objects from files: found in folders, read from many formats, normalised into one frame, or
refused with a reason.
"""

from __future__ import annotations

from geco.data.objects.bounded import BoundedReader
from geco.data.objects.find import ObjectSource, find_in_folders, find_objects
from geco.data.objects.limits import Limits
from geco.data.objects.load import SUFFIXES, load_object
from geco.data.objects.refusal import ObjectError, Reason
from geco.data.objects.types import BOUNDING_RADIUS, TexturedObject

__all__ = [
    "BOUNDING_RADIUS",
    "SUFFIXES",
    "BoundedReader",
    "Limits",
    "ObjectError",
    "ObjectSource",
    "Reason",
    "TexturedObject",
    "find_in_folders",
    "find_objects",
    "load_object",
]
