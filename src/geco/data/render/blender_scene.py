"""Blender's side of geco.data.render.blender: mesh, materials, camera and settings of the one
global scene.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from geco.data.objects import TexturedObject
from geco.data.render.types import Light, Studio
from geco.types import Bytes, Floats

SENSOR = 36.0  # millimetres; only its ratio to the focal length matters
FAR_PLANE = 1000.0
# Positions and normals travel as emitted colours, which must be positive: value * 1/16 + 1/2.
ENCODING = (0.0625, 0.5)


def decode(colors: Floats) -> Floats:
    """World values from the colours of the geometry materials."""
    return (colors - ENCODING[1]) / ENCODING[0]


def build(bpy: Any, obj: TexturedObject, size: int, threads: int, near: float) -> Scene:
    """Empty Blender's scene and put the object, a camera and the settings into it."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.device = "CPU"
    scene.cycles.seed = 0
    scene.cycles.use_adaptive_sampling = False
    scene.cycles.use_denoising = False
    scene.cycles.transparent_max_bounces = 64  # layers of masked texture that a ray may pass
    scene.render.film_transparent = True
    scene.render.resolution_x = scene.render.resolution_y = size
    scene.render.resolution_percentage = 100
    scene.render.threads_mode, scene.render.threads = "FIXED", threads
    scene.render.image_settings.file_format = "OPEN_EXR"  # no view transform: values as computed
    scene.render.image_settings.color_mode, scene.render.image_settings.color_depth = "RGBA", "32"
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.data.sensor_fit, camera.data.sensor_width = "HORIZONTAL", SENSOR
    camera.data.clip_start, camera.data.clip_end = near, FAR_PLANE
    scene.collection.objects.link(camera)
    scene.camera = camera
    return Scene(bpy, scene, camera, _mesh(bpy, scene, obj))


class Scene:
    """The global scene, and what may be changed between renders."""

    def __init__(self, bpy: Any, scene: Any, camera: Any, mesh: Any) -> None:
        self.bpy, self.scene, self.camera, self.mesh = bpy, scene, camera, mesh
        self.shades: list[Any] = []

    def aim(self, c2w: Floats, lens: Floats) -> None:
        """Blender's camera axes are ours; its shift moves the window, so the picture moves the other way."""
        from mathutils import Matrix

        focal, cx, cy = (float(value) for value in lens)
        self.camera.matrix_world = Matrix(c2w.tolist())
        self.camera.data.lens = focal * SENSOR
        self.camera.data.shift_x, self.camera.data.shift_y = 0.5 - cx, cy - 0.5

    def set_sampling(self, samples: int, bounces: int) -> None:
        """One sample goes through the centre of the pixel, more are spread over its square."""
        cycles = self.scene.cycles
        cycles.samples, cycles.max_bounces = samples, bounces
        cycles.pixel_filter_type, cycles.filter_width = ("GAUSSIAN", 0.01) if samples == 1 else ("BOX", 1.0)

    def flat_materials(self, obj: TexturedObject) -> None:
        """Emission of texture x tint x shade in sRGB numbers, the formula of :class:`Light`."""
        self.shades = []
        for material, texture, cutoff in self._fresh_materials(obj):
            nodes = _Nodes(material)
            color, alpha = nodes.texture(_picture(self.bpy, texture, "Non-Color"), "Closest")
            tinted = nodes.vector("MULTIPLY", color, nodes.attribute("tint"))
            normal = nodes.new("ShaderNodeNewGeometry").outputs["Normal"]
            up = nodes.vector("DOT_PRODUCT", normal, (0.0, 0.0, 1.0))
            lamp = nodes.vector("DOT_PRODUCT", normal, (0.0, 0.0, 1.0))
            low, high = nodes.math("MULTIPLY_ADD", up, 0.0, 0.0), nodes.math("MAXIMUM", lamp, 0.0)
            total = nodes.math("MULTIPLY_ADD", high, 0.0, low)
            self.shades.append((lamp.node, low.node, total.node))
            nodes.finish(nodes.emission(nodes.vector("SCALE", tinted, scale=total)), alpha, cutoff)

    def set_light(self, light: Light) -> None:
        """Change the light of the flat materials."""
        for lamp, low, total in self.shades:
            lamp.inputs[1].default_value = light.direction
            low.inputs[1].default_value, low.inputs[2].default_value = light.hemisphere, light.ambient
            total.inputs[1].default_value = light.diffuse

    def geometry_materials(self, obj: TexturedObject, field: str) -> None:
        """Emission of the world "position" or "normal" (see ``ENCODING``); masks cut as in the picture."""
        for material, texture, cutoff in self._fresh_materials(obj):
            nodes = _Nodes(material)
            geometry = nodes.new("ShaderNodeNewGeometry")
            value = geometry.outputs["Position" if field == "position" else "True Normal"]
            encoded = nodes.vector("MULTIPLY_ADD", value, (ENCODING[0],) * 3, (ENCODING[1],) * 3)
            alpha = (
                nodes.texture(_picture(self.bpy, texture, "Non-Color"), "Closest")[1] if cutoff > 0 else None
            )
            nodes.finish(nodes.emission(encoded), alpha, cutoff)

    def studio(self, obj: TexturedObject, studio: Studio) -> None:
        """Principled surfaces, sky and sun."""
        from mathutils import Vector

        for material, texture, cutoff in self._fresh_materials(obj):
            nodes = _Nodes(material)
            color, alpha = nodes.texture(_picture(self.bpy, texture, "sRGB"), "Linear")
            surface = nodes.new("ShaderNodeBsdfPrincipled")
            surface.inputs["Roughness"].default_value = studio.roughness
            nodes.link(
                nodes.vector("MULTIPLY", color, nodes.attribute("linear tint")), surface.inputs["Base Color"]
            )
            nodes.finish(surface.outputs[0], alpha, cutoff)
        self.scene.cycles.use_denoising = True
        world = self.bpy.data.worlds.new("sky")
        self.scene.world = world
        world.use_nodes = True
        background = world.node_tree.nodes["Background"]
        background.inputs["Strength"].default_value = studio.sky
        background.inputs["Color"].default_value = (1.0, 1.0, 1.0, 1.0)
        if studio.environment is not None:
            picture = world.node_tree.nodes.new("ShaderNodeTexEnvironment")
            picture.image = self.bpy.data.images.load(str(studio.environment))
            world.node_tree.links.new(picture.outputs["Color"], background.inputs["Color"])
        lamp = self.bpy.data.lights.new("sun", "SUN")
        lamp.energy, lamp.angle = studio.sun, np.radians(studio.sun_angle)
        sun = self.bpy.data.objects.new("sun", lamp)
        sun.rotation_mode = "QUATERNION"
        sun.rotation_quaternion = Vector(studio.sun_direction).to_track_quat("Z", "Y")
        self.scene.collection.objects.link(sun)

    def _fresh_materials(self, obj: TexturedObject) -> list[tuple[Any, Bytes, float]]:
        """New empty materials in the mesh's slots, with their texture and cutoff."""
        self.scene.cycles.use_denoising = False
        self.mesh.materials.clear()
        made = []
        for slot, texture in enumerate(obj.textures):
            material = self.bpy.data.materials.new(f"material {slot}")
            material.use_nodes = True
            material.node_tree.nodes.clear()
            material.cycles.emission_sampling = "NONE"  # surfaces are no lamps
            self.mesh.materials.append(material)
            made.append((material, texture, float(obj.cutoffs[slot])))
        self.mesh.polygons.foreach_set("material_index", np.ascontiguousarray(obj.materials, np.int32))
        self.mesh.update()
        return made


class _Nodes:
    """Short names for building a material."""

    def __init__(self, material: Any) -> None:
        self.tree = material.node_tree

    def new(self, kind: str) -> Any:
        return self.tree.nodes.new(kind)

    def link(self, source: Any, target: Any) -> None:
        """``source``: a socket, or the value itself."""
        if hasattr(source, "is_linked"):
            self.tree.links.new(source, target)
        else:
            target.default_value = source

    def vector(self, operation: str, *inputs: Any, scale: Any = None) -> Any:
        node = self.new("ShaderNodeVectorMath")
        node.operation = operation
        for value, target in zip(inputs, node.inputs):
            self.link(value, target)
        if scale is not None:
            self.link(scale, node.inputs["Scale"])
        return node.outputs["Value" if operation == "DOT_PRODUCT" else "Vector"]

    def math(self, operation: str, *inputs: Any) -> Any:
        node = self.new("ShaderNodeMath")
        node.operation = operation
        for value, target in zip(inputs, node.inputs):
            self.link(value, target)
        return node.outputs[0]

    def attribute(self, name: str) -> Any:
        node = self.new("ShaderNodeAttribute")
        node.attribute_name = name
        return node.outputs["Vector"]

    def texture(self, image: Any, interpolation: str) -> tuple[Any, Any]:
        node = self.new("ShaderNodeTexImage")
        node.image, node.interpolation, node.extension = image, interpolation, "REPEAT"
        return node.outputs["Color"], node.outputs["Alpha"]

    def emission(self, color: Any) -> Any:
        node = self.new("ShaderNodeEmission")
        self.link(color, node.inputs["Color"])
        return node.outputs[0]

    def finish(self, surface: Any, alpha: Any, cutoff: float) -> None:
        """The material's output; with a cutoff, texels of less alpha are holes."""
        output = self.new("ShaderNodeOutputMaterial")
        if cutoff > 0:
            mix = self.new("ShaderNodeMixShader")
            self.link(self.math("LESS_THAN", alpha, cutoff), mix.inputs[0])
            self.link(surface, mix.inputs[1])
            self.link(self.new("ShaderNodeBsdfTransparent").outputs[0], mix.inputs[2])
            surface = mix.outputs[0]
        self.link(surface, output.inputs["Surface"])


def _mesh(bpy: Any, scene: Any, obj: TexturedObject) -> Any:
    mesh = bpy.data.meshes.new("object")
    faces = np.ascontiguousarray(obj.faces, np.int32)
    mesh.vertices.add(len(obj.vertices))
    mesh.vertices.foreach_set("co", np.ascontiguousarray(obj.vertices, np.float32).ravel())
    mesh.loops.add(faces.size)
    mesh.loops.foreach_set("vertex_index", faces.ravel())
    mesh.polygons.add(len(faces))
    mesh.polygons.foreach_set("loop_start", np.arange(0, faces.size, 3, dtype=np.int32))
    uvs = obj.uvs[faces.ravel()].astype(np.float32)
    uvs[:, 1] = 1 - uvs[:, 1]  # Blender's origin is the bottom left
    mesh.uv_layers.new(name="uv").data.foreach_set("uv", np.ascontiguousarray(uvs).ravel())
    linear = np.where(
        obj.colors <= 0.04045, obj.colors / 12.92, ((np.maximum(obj.colors, 0.04045) + 0.055) / 1.055) ** 2.4
    )
    for name, values in (("tint", obj.colors), ("linear tint", linear)):
        attribute = mesh.attributes.new(name, "FLOAT_VECTOR", "POINT")
        attribute.data.foreach_set("vector", np.ascontiguousarray(values, np.float32).ravel())
    mesh.update(calc_edges=True)
    mesh.shade_flat()
    scene.collection.objects.link(bpy.data.objects.new("object", mesh))
    return mesh


def _picture(bpy: Any, texture: Bytes, colorspace: str) -> Any:
    """The texture as an image; its colours do not depend on its alpha."""
    height, width = texture.shape[:2]
    image = bpy.data.images.new("texture", width, height, alpha=True)
    image.colorspace_settings.name, image.alpha_mode = colorspace, "CHANNEL_PACKED"
    image.pixels.foreach_set((texture[::-1].astype(np.float32) / 255).ravel())
    image.update()
    return image
