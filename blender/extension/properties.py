"""What the scene and the window remember: choices, and how far a run is."""

from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

from geco.choices import Choice

from .fields import about, rows, title, unset, words
from .made import PIVOTS

LARGEST = 2**31 - 1  # of Blender's whole numbers


def _property(row: Choice) -> Any:
    named = {"name": title(row), "description": about(row)}
    if row.kind == "bool":
        return BoolProperty(default=bool(row.default), **named)
    if row.kind == "str" and row.values:
        items = [(value, value.replace("-", " ").capitalize(), "") for value in words(row)]
        return EnumProperty(items=items, default=items[0][0], **named)
    if row.kind in ("str", "list"):
        return StringProperty(default=row.default or "", **named)
    low = unset(row) if row.default is None else row.low
    high = LARGEST if row.high is None else min(row.high, LARGEST)
    default = low if row.default is None else row.default
    if row.kind == "int":
        return IntProperty(default=int(default), min=int(low), max=int(high), **named)
    return FloatProperty(default=float(default), min=float(low), max=float(high), **named)


def _size() -> Any:
    return FloatProperty(
        name="Size",
        description="Longest side in metres; 0: the model's own, about 2",
        default=0,
        min=0,
        max=1e4,
        subtype="DISTANCE",
        unit="LENGTH",
    )


def _pivot() -> Any:
    about = {"center": "The middle of the object", "base": "The middle of its foot, so that it stands"}
    return EnumProperty(
        name="Pivot",
        description="Where the object's origin is, which goes to the 3D cursor",
        items=[(value, value.capitalize(), about[value]) for value in PIVOTS],
        default="base",
    )


class GecoSettings(bpy.types.PropertyGroup):
    """In the scene, saved with it: one property for each choice of ``geco run``."""

    # Blender reads its properties here.
    __annotations__ = {
        **{row.name: _property(row) for row in rows()},
        "size": _size(),
        "pivot": _pivot(),
        "image": PointerProperty(
            name="Image", description="A picture of one object, in this file", type=bpy.types.Image
        ),
    }


class GecoStatus(bpy.types.PropertyGroup):
    """In the window manager, not saved: how far the run is."""

    __annotations__ = {
        "running": BoolProperty(name="Running"),
        "stop": BoolProperty(name="Stop"),
        "factor": FloatProperty(name="Done", min=0, max=1, subtype="FACTOR"),
        "text": StringProperty(name="What is being done"),
    }
