"""The extension in a real Blender with a window: the bar, the cancel, undo, a dropped picture, a new file.

    xvfb-run -s "-screen 0 1280x800x24" blender --factory-startup --python blender/window.py -- ARCHIVE FOLDER

Screenshots are taken by ImageMagick's ``import``: Blender's own are black where a display has no hardware.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
from mathutils import Euler

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
ARCHIVE, OUT = (Path(word) for word in sys.argv[sys.argv.index("--") + 1 :][:2])
NAMES = ("bus.png", "mug.png", "bull.png")


def view() -> tuple[Any, Any, Any]:
    """The window, its 3D view, and that one's main region."""
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    return window, area, next(region for region in area.regions if region.type == "WINDOW")


def inside() -> Any:
    """As if the mouse were in the 3D view."""
    window, area, region = view()
    return bpy.context.temp_override(window=window, area=area, region=region)


def picture(name: str) -> None:
    """A screenshot, where it can be taken."""
    if shutil.which("import"):
        subprocess.run(["import", "-window", "root", str(OUT / f"{name}.png")], check=False)


def make(*names: str) -> None:
    """As the button does."""
    files = [{"name": name} for name in names]
    with inside():
        begun = bpy.ops.geco.from_files("INVOKE_DEFAULT", True, directory=f"{EXAMPLES}/", files=files)
    assert begun == {"RUNNING_MODAL"}


def status() -> Any:
    """How far it is."""
    return bpy.context.window_manager.geco


def objects() -> set[str]:
    """By name."""
    return {one.name for one in bpy.data.objects}


def steps() -> Iterator[float]:
    """The checks; each yield gives Blender so many seconds for itself."""
    import addon_utils

    addon_utils.enable("bl_pkg")
    bpy.ops.extensions.package_install_files(
        repo="user_default", filepath=str(ARCHIVE), enable_on_install=True
    )
    for one in [*bpy.data.objects]:
        bpy.data.objects.remove(one)
    _, area, _ = view()
    area.spaces[0].show_region_ui = True
    if shutil.which("xdotool"):  # a click beside the splash screen closes it
        subprocess.run(["xdotool", "mousemove", "250", "600", "click", "1"], check=False)
    yield 2
    next(region for region in area.regions if region.type == "UI").active_panel_category = "GECO"
    bpy.ops.ed.undo_push(message="nothing there")
    yield from makes_and_undoes(area)
    yield from hears_a_cancel()
    with inside():
        files = [{"name": "mug.png"}]
        bpy.ops.wm.drop_import_file("INVOKE_DEFAULT", directory=f"{EXAMPLES}/", files=files)
    yield 1
    picture("drop")
    print("ok: a dropped picture is asked about", flush=True)
    yield from a_new_file()


def makes_and_undoes(area: Any) -> Iterator[float]:
    make(*NAMES)
    texts, factors = set(), []
    while status().running:
        texts.add(status().text)
        factors.append(status().factor)
        if len(factors) == 15:
            picture("progress")
        yield 0.1
    assert len(texts) > 4 and factors == sorted(factors), (texts, factors)
    assert objects() == {"bus", "mug", "bull"}
    print("ok: the window lives while objects are made, and the bar goes forward", flush=True)
    area.spaces[0].shading.type = "MATERIAL"
    area.spaces[0].region_3d.view_rotation = Euler((1.25, 0, 0.2)).to_quaternion()
    with inside():
        bpy.ops.view3d.view_selected()
    yield 15
    picture("made")
    with inside():
        bpy.ops.ed.undo()
    assert not objects()
    with inside():
        bpy.ops.ed.redo()
    assert objects() == {"bus", "mug", "bull"}
    print("ok: undo takes all of them, redo brings them back", flush=True)


def hears_a_cancel() -> Iterator[float]:
    before = len(objects())
    bpy.context.scene.geco.samples = 8
    make("mug.png")
    while status().factor < 0.15:
        yield 0.05
    with inside():
        bpy.ops.geco.cancel()
    while status().running:
        yield 0.05
    yield 0.5
    assert 1 <= len(objects()) - before < 8
    print("ok: a cancel keeps what is ready", flush=True)


def a_new_file() -> Iterator[float]:
    make("mug.png")
    yield 0.3
    assert status().running
    bpy.ops.wm.read_homefile()
    yield 3
    assert not status().running and bpy.ops.geco.from_files.poll()
    print("ok: a new file ends a run", flush=True)


def tick(checks: Iterator[float] = steps()) -> float | None:  # noqa: B008
    """Blender's timer."""
    try:
        return next(checks)
    except StopIteration:
        print("all passed", flush=True)
    except Exception:
        traceback.print_exc()
        print("FAILED", flush=True)
    bpy.ops.wm.quit_blender()
    return None


OUT.mkdir(parents=True, exist_ok=True)
bpy.app.timers.register(tick, first_interval=3, persistent=True)
