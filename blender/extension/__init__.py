"""GECO as a Blender extension: a picture becomes an object with its material, in Blender's own process.

What needs Blender is imported when it registers: the rest of these files is plain Python, and tested so.
"""


def register() -> None:
    """Called by Blender when the extension is enabled."""
    from . import registration

    registration.register()


def unregister() -> None:
    """Called by Blender when the extension is disabled."""
    from . import registration

    registration.unregister()
