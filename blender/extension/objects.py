"""Arrays to Blender's data: a mesh, its material, its pictures packed into the file. Main thread only."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from .made import Array, Made

ROUGHNESS = 0.8  # of the materials in our files, too


def add_object(made: Made, collection: Any, location: Array) -> Any:
    """A new object of its own mesh and material, linked to a collection."""
    mesh = _mesh(made)
    mesh.materials.append(_material(made))
    created = bpy.data.objects.new(made.name, mesh)
    created.location = location.tolist()
    for name, value in made.facts.items():
        # whole numbers beyond 31 bits do not fit a property
        created[name] = value if not isinstance(value, int) or abs(value) < 2**31 else str(value)
    collection.objects.link(created)
    return created


def _mesh(made: Made) -> Any:
    mesh = bpy.data.meshes.new(made.name)
    count = len(made.corners)
    mesh.vertices.add(len(made.vertices))
    mesh.vertices.foreach_set("co", made.vertices.ravel())
    mesh.loops.add(3 * count)
    mesh.loops.foreach_set("vertex_index", made.corners.ravel())
    mesh.polygons.add(count)
    mesh.polygons.foreach_set("loop_start", np.arange(0, 3 * count, 3, dtype=np.int32))
    if made.uvs is not None:
        mesh.uv_layers.new(name="UVMap").uv.foreach_set("vector", made.uvs.ravel())
    if made.colors is not None:
        colors = mesh.color_attributes.new("Color", "BYTE_COLOR", "POINT")
        opaque = np.concatenate([made.colors, np.ones((len(made.colors), 1))], axis=1)
        colors.data.foreach_set("color_srgb", opaque.astype(np.float32).ravel())
    mesh.update(calc_edges=True)
    mesh.shade_smooth()
    mesh.normals_split_custom_set(made.normals)
    return mesh


def _material(made: Made) -> Any:
    material = bpy.data.materials.new(made.name)
    if material.node_tree is None:  # Blender 5 gives every material one
        material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    surface = next(node for node in nodes if node.type == "BSDF_PRINCIPLED")
    surface.inputs["Roughness"].default_value = ROUGHNESS
    if "color" in made.images:
        node = _picture_node(nodes, made.images["color"], made.name, "sRGB", -300)
        links.new(node.outputs["Color"], surface.inputs["Base Color"])
    elif made.colors is not None:
        node = nodes.new("ShaderNodeVertexColor")
        node.layer_name, node.location = "Color", (-300, 300)
        links.new(node.outputs["Color"], surface.inputs["Base Color"])
    if "normal" in made.images:
        node = _picture_node(nodes, made.images["normal"], f"{made.name} normal", "Non-Color", -600)
        bent = nodes.new("ShaderNodeNormalMap")
        bent.uv_map, bent.location = "UVMap", (-300, -100)
        node.location.y = -100
        links.new(node.outputs["Color"], bent.inputs["Color"])
        links.new(bent.outputs["Normal"], surface.inputs["Normal"])
    return material


def _picture_node(nodes: Any, pixels: Array, name: str, space: str, x: float) -> Any:
    node = nodes.new("ShaderNodeTexImage")
    node.image, node.location = _packed(pixels, name, space), (x, 300)
    return node


def _packed(pixels: Array, name: str, space: str) -> Any:
    """(H, W, 3) uint8, rows from the top, as a picture inside the .blend."""
    height, width, _ = pixels.shape
    image = bpy.data.images.new(name, width, height, alpha=False)
    image.colorspace_settings.name = space
    rgba = np.ones((height, width, 4), np.float32)
    rgba[..., :3] = pixels[::-1] / np.float32(255)
    image.pixels.foreach_set(rgba.ravel())
    image.update()
    image.pack()
    return image


def pixels_of(image: Any) -> Array:
    """(H, W, 4) uint8, sRGB, rows from the top, of a picture in the .blend; raises ValueError where it holds
    none.
    """
    width, height = image.size
    if not width or not height:
        raise ValueError(f"the image {image.name!r} holds no pixels: is its file there?")
    flat = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(flat)
    pixels = flat.reshape(height, width, image.channels)[::-1]
    color, alpha = pixels[..., :3], pixels[..., 3:4]
    if image.channels < 3:
        color = np.repeat(pixels[..., :1], 3, axis=2)
        alpha = pixels[..., 1:2]
    if image.is_float:  # those are linear light; the others are as their file has them
        color = np.clip(color, 0, 1)
        color = np.where(color <= 0.0031308, 12.92 * color, 1.055 * color ** (1 / 2.4) - 0.055)
    if not alpha.shape[2]:
        alpha = np.ones_like(color[..., :1])
    whole = np.concatenate([color, alpha], axis=2)
    return np.round(np.clip(whole, 0, 1) * 255).astype(np.uint8)
