"""Runs inside Blender's Python: somebody else's add-on, as it was published, asks a server for a mesh and
imports it. ``python blender_client.py hunyuan|mcp ADDON.py URL PICTURE RENDER.png`` prints one JSON line.

Without a window Blender has neither a loop for timers nor operators' ``invoke``: this file runs the timers,
and calls the operator's own ``invoke`` on an object with all that its class has. Nothing of the add-on is
changed or left out.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy  # type: ignore[import-not-found]
from mathutils import Vector  # type: ignore[import-not-found]

SECONDS = 90.0
timers: list[Any] = []


def main(client: str, addon: str, url: str, picture: str, render: str) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.app.timers.register = lambda function, **_: timers.append(function)
    module = loaded(addon)
    said = hunyuan(module, url, picture) if client == "hunyuan" else mcp(module, url, picture)
    meshes = [each for each in bpy.data.objects if each.type == "MESH"]
    if meshes:
        draw(meshes, render)
    facts = {"said": said, "objects": [described(each) for each in meshes]}
    print("\nRESULT " + json.dumps(facts), flush=True)


def loaded(path: str) -> Any:
    """The add-on, registered as Blender does it."""
    specification = importlib.util.spec_from_file_location(Path(path).stem, path)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[module.__name__] = module
    specification.loader.exec_module(module)
    module.register()
    return module


def hunyuan(module: Any, url: str, picture: str) -> list[str]:
    """The panel's button, pressed."""
    fields = bpy.context.scene.gen_3d_props
    fields.api_url, fields.image_path = url, picture
    said: list[str] = []
    own = vars(module.Hunyuan3DOperator).items()
    kept = {name: value for name, value in own if not name.startswith(("__", "bl_"))}
    operator = type("Pressed", (), {**kept, "report": lambda self, kind, text: said.append(text)})()
    context = SimpleNamespace(
        scene=bpy.context.scene,
        selected_objects=[],
        window_manager=SimpleNamespace(modal_handler_add=lambda operator: True),
    )
    assert operator.invoke(context, None) == {"RUNNING_MODAL"}
    until = time.monotonic() + SECONDS
    while operator.thread.is_alive() or timers:
        run_timers()
        assert time.monotonic() < until, said
    return said


def mcp(module: Any, url: str, picture: str) -> Any:
    """The command of an assistant's client, which comes over a socket where Blender has a window."""
    scene = bpy.context.scene
    scene.blendermcp_use_hunyuan3d, scene.blendermcp_hunyuan3d_mode = True, "LOCAL_API"
    scene.blendermcp_hunyuan3d_api_url = url
    said = module.BlenderMCPServer().execute_command(
        {"type": "create_hunyuan_job", "params": {"image": picture}}
    )
    run_timers()
    return said


def run_timers() -> None:
    while timers:
        timers.pop(0)()
    time.sleep(0.02)


def described(mesh: Any) -> dict[str, Any]:
    images = [
        list(node.image.size)
        for slot in mesh.material_slots
        for node in slot.material.node_tree.nodes
        if node.type == "TEX_IMAGE"
    ]
    return {
        "name": mesh.name,
        "faces": len(mesh.data.polygons),
        "uvs": len(mesh.data.uv_layers),
        "images": images,
        "size": [round(side, 4) for side in mesh.dimensions],
    }


def draw(meshes: list[Any], path: str) -> None:
    """A picture of what was imported, from where the input picture was taken, a little from the side."""
    bpy.context.view_layer.update()
    corners = [mesh.matrix_world @ Vector(corner) for mesh in meshes for corner in mesh.bound_box]
    middle = sum(corners, Vector()) / len(corners)
    radius = max((corner - middle).length for corner in corners)
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.location = middle + radius * 2.3 * Vector((math.sin(0.5), -math.cos(0.5), 0.35))
    camera.rotation_euler = (middle - camera.location).to_track_quat("-Z", "Y").to_euler()
    world = bpy.data.worlds.new("world")
    world.use_nodes = True
    world.node_tree.nodes["Background"].inputs[0].default_value = (1, 1, 1, 1)
    scene = bpy.context.scene
    scene.collection.objects.link(camera)
    scene.camera, scene.world = camera, world
    scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 16, False
    scene.render.resolution_x = scene.render.resolution_y = 320
    scene.view_settings.view_transform = "Standard"
    scene.render.filepath = path
    bpy.ops.render.render(write_still=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
    os._exit(0)  # Blender's own end may wait for the add-on's threads for ever
