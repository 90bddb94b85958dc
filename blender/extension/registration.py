"""What Blender is told when the extension is enabled, and untold when it is disabled."""

from __future__ import annotations

import bpy

from . import operators, panel, preferences, properties

CLASSES = (
    properties.GecoSettings,
    properties.GecoStatus,
    preferences.GecoPreferences,
    operators.GECO_OT_from_files,
    operators.GECO_OT_from_folder,
    operators.GECO_OT_from_image,
    operators.GECO_OT_cancel,
    panel.VIEW3D_PT_geco,
    panel.VIEW3D_PT_geco_options,
    panel.GECO_FH_picture,
)


def _add_menu(menu: bpy.types.Menu, context: bpy.types.Context) -> None:
    menu.layout.operator("geco.from_files", text="Textured Mesh of Picture (GECO)", icon="IMAGE_DATA")


def register() -> None:
    """The classes, and where their values are kept."""
    for one in CLASSES:
        bpy.utils.register_class(one)
    bpy.types.Scene.geco = bpy.props.PointerProperty(type=properties.GecoSettings)
    bpy.types.WindowManager.geco = bpy.props.PointerProperty(type=properties.GecoStatus)
    bpy.types.VIEW3D_MT_add.append(_add_menu)


def unregister() -> None:
    """The reverse."""
    bpy.types.VIEW3D_MT_add.remove(_add_menu)
    del bpy.types.WindowManager.geco, bpy.types.Scene.geco
    for one in reversed(CLASSES):
        bpy.utils.unregister_class(one)
