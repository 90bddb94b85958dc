"""USDZ (Pixar's specification: an uncompressed, aligned zip; the layer first) through usd-core,
for AR viewers: y up, metres.
"""

from __future__ import annotations

import io
import struct
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from geco.errors import ConfigError, MissingExtraError, OutputError
from geco.mesh.export.axes import flip_v, srgb_to_linear, y_up
from geco.mesh.export.images import TextureFormat, encode_texture, texture_format
from geco.mesh.export.metadata import GENERATOR, About, plain, to_json
from geco.mesh.export.names import usd_name
from geco.mesh.normals import vertex_normals
from geco.mesh.types import Mesh

_ROUGHNESS = 0.8  # as in the GLB


def encode_usdz(mesh: Mesh, about: About, kind: TextureFormat, quality: int | None) -> bytes:
    """The bytes of the file, with a UsdPreviewSurface material.

    Raises:
        MissingExtraError: usd-core is not installed.
        ConfigError: a WebP texture, which USDZ does not allow.
        OutputError: there is no folder for temporary files, which USD needs, or it is full.
    """
    try:
        from pxr import Tf
    except ImportError as error:
        raise MissingExtraError("usd-core", "usd", "USDZ export") from error
    if kind.name == "webp" and mesh.texture is not None:
        raise ConfigError("USDZ holds no WebP textures", "Use the texture format jpeg or png.")
    name = usd_name(about.name)
    pictures: dict[str, bytes] = {}
    if mesh.texture is not None:
        pictures[f"{name}{kind.suffix}"] = encode_texture(mesh.texture, kind, quality)
    if mesh.normal_map is not None:
        pictures[f"{name}_normal.png"] = encode_texture(mesh.normal_map, texture_format("png"))
    try:
        with tempfile.TemporaryDirectory(prefix="geco-usdz-") as folder:
            layer = Path(folder) / f"{name}.usdc"  # USD writes its binary layers to files only
            _write_layer(mesh, layer, list(pictures), about, name)
            files = {layer.name: _whole_layer(layer.read_bytes())}
    except Tf.ErrorException as error:
        raise _no_room("the file of its layer did not become whole") from error
    except OSError as error:  # FileNotFoundError: no folder for temporary files can be written at all
        raise _no_room(error.strerror or str(error)) from error
    return _package({**files, **pictures}, about.mark())


def _no_room(why: str) -> OutputError:
    return OutputError(
        f"a USDZ file needs a folder for temporary files, which cannot be written: {why}",
        "Set TMPDIR to a folder that can be written and has some space.",
    )


def _package(files: Mapping[str, bytes], mark: str) -> bytes:
    """An uncompressed zip in which the bytes of each file start at a multiple of 64 (the USDZ specification,
    "Layout").

    Our own because USD's writer says nothing when the disk is full. The mark is a comment of every entry in
    the zip's directory: the layer itself is compressed.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as package:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name)
            # local header, name, and the head of the padding field
            header = buffer.tell() + 30 + len(name.encode()) + 4
            # 0x1986: USD's own padding field
            entry.extra = struct.pack("<HH", 0x1986, -header % 64) + bytes(-header % 64)
            entry.comment = mark.encode("ascii")
            package.writestr(entry, data)
    return buffer.getvalue()


def _whole_layer(data: bytes) -> bytes:
    """``data`` if it is a binary layer written to its end: USD may say nothing when the disk is full.

    Byte 16 holds the place of the table of contents, which is written last: a count, then 32 bytes a section.
    """
    if len(data) >= 24 and data[:8] == b"PXR-USDC":
        place = struct.unpack_from("<q", data, 16)[0]
        if 24 <= place <= len(data) - 8 and place + 8 + 32 * struct.unpack_from("<Q", data, place)[0] <= len(
            data
        ):
            return data
    raise _no_room("it is full")


def _write_layer(mesh: Mesh, layer: Path, pictures: list[str], about: About, name: str) -> None:
    """``pictures``: the files of the texture and of the normal map, as far as there are any."""
    from pxr import Kind, Usd, UsdGeom, UsdShade

    stage = Usd.Stage.CreateNew(str(layer))
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    stage.GetRootLayer().customLayerData = {
        "generator": GENERATOR,
        "mark": about.mark(),
        **_facts(about.extras),
    }
    root = UsdGeom.Xform.Define(stage, f"/{name}")
    Usd.ModelAPI(root.GetPrim()).SetKind(Kind.Tokens.component)
    stage.SetDefaultPrim(root.GetPrim())

    shape = _define_shape(stage, mesh, name)
    material = _define_material(stage, pictures, name)
    UsdShade.MaterialBindingAPI.Apply(shape.GetPrim()).Bind(material)
    stage.GetRootLayer().Save()


def _define_shape(stage: Any, mesh: Mesh, name: str) -> Any:
    """The geometry, with texture coordinates or linear colours of the vertices."""
    from pxr import Sdf, UsdGeom, Vt

    shape = UsdGeom.Mesh.Define(stage, f"/{name}/{name}_mesh")
    points = y_up(mesh.vertices)
    normals = mesh.normals if mesh.normals is not None else vertex_normals(mesh.vertices, mesh.faces)
    shape.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(points))
    shape.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(mesh.faces.ravel()))
    shape.CreateFaceVertexCountsAttr(Vt.IntArray.FromNumpy(np.full(len(mesh.faces), 3, np.int32)))
    shape.CreateNormalsAttr(Vt.Vec3fArray.FromNumpy(y_up(normals)))
    shape.SetNormalsInterpolation(UsdGeom.Tokens.vertex)
    shape.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    shape.CreateExtentAttr(Vt.Vec3fArray.FromNumpy(np.stack([points.min(axis=0), points.max(axis=0)])))
    primvars = UsdGeom.PrimvarsAPI(shape)
    if mesh.uvs is not None:
        st = primvars.CreatePrimvar("st", Sdf.ValueTypeNames.TexCoord2fArray, UsdGeom.Tokens.vertex)
        st.Set(Vt.Vec2fArray.FromNumpy(flip_v(mesh.uvs)))
    # displayColor is linear, as every colour without a tag in USD
    if mesh.texture is None and mesh.colors is not None:
        color = primvars.CreatePrimvar("displayColor", Sdf.ValueTypeNames.Color3fArray, UsdGeom.Tokens.vertex)
        color.Set(Vt.Vec3fArray.FromNumpy(srgb_to_linear(np.clip(mesh.colors, 0.0, 1.0))))
    return shape


def _define_material(stage: Any, pictures: list[str], name: str) -> Any:
    """A rough surface of the texture's colour, or of the vertices'; with the normal map."""
    from pxr import Gf, Sdf, UsdShade

    material = UsdShade.Material.Define(stage, f"/{name}/{name}_material")
    surface = UsdShade.Shader.Define(stage, f"/{name}/{name}_material/Surface")
    surface.CreateIdAttr("UsdPreviewSurface")
    surface.CreateInput("metallic", Sdf.ValueTypeNames.Float).Set(0.0)
    surface.CreateInput("roughness", Sdf.ValueTypeNames.Float).Set(_ROUGHNESS)
    diffuse = surface.CreateInput("diffuseColor", Sdf.ValueTypeNames.Color3f)
    material.CreateSurfaceOutput().ConnectToSource(surface.ConnectableAPI(), "surface")
    reader = UsdShade.Shader.Define(stage, f"/{name}/{name}_material/Reader")
    if pictures:
        reader.CreateIdAttr("UsdPrimvarReader_float2")
        reader.CreateInput("varname", Sdf.ValueTypeNames.String).Set("st")
        texture = _define_texture(stage, f"/{name}/{name}_material/{name}_texture", pictures[0], reader)
        texture.GetInput("sourceColorSpace").Set("sRGB")
        diffuse.ConnectToSource(texture.ConnectableAPI(), "rgb")
        if len(pictures) > 1:
            normals = _define_texture(stage, f"/{name}/{name}_material/{name}_normal", pictures[1], reader)
            normals.GetInput("sourceColorSpace").Set("raw")
            # 8 bits to -1 … 1, as the specification of UsdPreviewSurface says
            normals.CreateInput("scale", Sdf.ValueTypeNames.Float4).Set(Gf.Vec4f(2, 2, 2, 1))
            normals.CreateInput("bias", Sdf.ValueTypeNames.Float4).Set(Gf.Vec4f(-1, -1, -1, 0))
            bent = surface.CreateInput("normal", Sdf.ValueTypeNames.Normal3f)
            bent.ConnectToSource(normals.ConnectableAPI(), "rgb")
    else:
        reader.CreateIdAttr("UsdPrimvarReader_float3")
        reader.CreateInput("varname", Sdf.ValueTypeNames.String).Set("displayColor")
        reader.CreateInput("fallback", Sdf.ValueTypeNames.Float3).Set(Gf.Vec3f(1, 1, 1))
        diffuse.ConnectToSource(reader.ConnectableAPI(), "result")
    return material


def _define_texture(stage: Any, path: str, picture: str, reader: Any) -> Any:
    """A picture read at the texture coordinates."""
    from pxr import Gf, Sdf, UsdShade

    texture = UsdShade.Shader.Define(stage, path)
    texture.CreateIdAttr("UsdUVTexture")
    texture.CreateInput("file", Sdf.ValueTypeNames.Asset).Set(Sdf.AssetPath(picture))
    texture.CreateInput("sourceColorSpace", Sdf.ValueTypeNames.Token)
    for axis in ("wrapS", "wrapT"):
        texture.CreateInput(axis, Sdf.ValueTypeNames.Token).Set("clamp")
    texture.CreateInput("fallback", Sdf.ValueTypeNames.Float4).Set(Gf.Vec4f(1, 1, 1, 1))
    texture.CreateInput("st", Sdf.ValueTypeNames.Float2).ConnectToSource(reader.ConnectableAPI(), "result")
    return texture


def _facts(extras: Mapping[str, Any]) -> dict[str, Any]:
    """USD dictionaries hold no lists, no nulls and no numbers beyond 64 bits: those are kept as
    their JSON text.
    """
    facts = plain(extras)
    return {
        key: value
        if isinstance(value, bool | float | str) or (isinstance(value, int) and abs(value) < 2**63)
        else to_json(value)
        for key, value in facts.items()
    }
