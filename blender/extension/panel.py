"""The sidebar's tab, the bar below the window, and pictures dropped into the view."""

from typing import Any

import bpy

from .fields import OF_SERVERS, PICTURES, rows
from .preferences import preferences


class VIEW3D_PT_geco(bpy.types.Panel):
    """Picture in, object out."""

    bl_label = "GECO"
    bl_category = "GECO"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"

    def draw(self, context: Any) -> None:
        """The buttons, or the bar while it runs."""
        layout, settings = self.layout, context.scene.geco
        if context.window_manager.geco.running:
            draw_progress(layout, context, "")
            return
        column = layout.column(align=True)
        column.operator("geco.from_files", text="Pictures to Meshes", icon="IMAGE_DATA")
        column.operator("geco.from_folder", text="Folder to Collection", icon="FILE_FOLDER")
        row = layout.row(align=True)
        row.prop(settings, "image", text="")
        row.operator("geco.from_image", text="", icon="PLAY")
        self._column(settings, "seed", "samples")
        self._column(settings, "size", "pivot")

    def _column(self, settings: Any, *names: str) -> None:
        column = self.layout.column(align=True)
        column.use_property_split = True
        column.use_property_decorate = False
        for name in names:
            column.prop(settings, name)


class VIEW3D_PT_geco_options(bpy.types.Panel):
    """Every choice of the table that is not in the first panel."""

    bl_label = "Options"
    bl_category = "GECO"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_parent_id = "VIEW3D_PT_geco"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012

    def draw(self, context: Any) -> None:
        """A line each, greyed while it runs."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.enabled = not context.window_manager.geco.running
        server = preferences(context).place == "SERVER"
        for row in rows():
            if row.group in ("picture", "views", "mesh") and (server or row.name not in OF_SERVERS):
                layout.prop(context.scene.geco, row.name)


class GECO_FH_picture(bpy.types.FileHandler):
    """A picture dropped into the view: Blender asks whether it shall become an empty or a mesh."""

    bl_idname = "GECO_FH_picture"
    bl_label = "Textured mesh (GECO)"
    bl_import_operator = "geco.from_files"
    bl_file_extensions = ";".join(PICTURES)

    @classmethod
    def poll_drop(cls, context: Any) -> bool:
        """In a 3D view only."""
        return bool(context.area) and context.area.type == "VIEW_3D"


def draw_progress(layout: Any, context: Any, whose: str) -> None:
    """What is being done, how far it is, and a way out."""
    status = context.window_manager.geco
    row = layout.row(align=True)
    row.progress(factor=status.factor, text=whose + status.text)
    row.operator("geco.cancel", text="", icon="X")


def draw_status(header: Any, context: Any) -> None:
    """The bar below the window, seen where the sidebar is closed."""
    bar = header.layout.row()
    bar.ui_units_x = 24
    draw_progress(bar, context, "GECO: ")
