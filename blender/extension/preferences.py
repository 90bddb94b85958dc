"""Where objects are made: here, or on a server."""

from typing import Any

import bpy
from bpy.props import EnumProperty, IntProperty, StringProperty

PLACES = [
    ("HERE", "In Blender", "On this machine, in this process: no server, no network"),
    ("SERVER", "On a server", "By a geco serve, which may have other models and a GPU"),
]


class GecoPreferences(bpy.types.AddonPreferences):
    """Of the extension, the same for every file."""

    bl_idname = __package__
    __annotations__ = {
        "place": EnumProperty(name="Objects are made", items=PLACES, default="HERE"),
        "threads": IntProperty(
            name="Threads",
            description="Of the networks; 0: as many as the machine has cores, up to four",
            default=0,
            min=0,
            max=256,
        ),
        "address": StringProperty(
            name="Address", description="Of geco serve", default="http://127.0.0.1:8000"
        ),
        "token": StringProperty(
            name="Token", description="Where the server wants one (--token)", subtype="PASSWORD"
        ),
        "model": StringProperty(name="Model", description="By name; empty: the server's own"),
    }

    def draw(self, context: Any) -> None:
        """The form in Blender's preferences."""
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "place", expand=True)
        if self.place == "HERE":
            layout.prop(self, "threads")
            return
        layout.prop(self, "address")
        layout.prop(self, "token")
        layout.prop(self, "model")
        if not bpy.app.online_access:
            layout.label(text="Other machines need Allow Online Access (System, Network)", icon="INFO")


def preferences(context: Any) -> Any:
    """Ours."""
    return context.preferences.addons[__package__].preferences
