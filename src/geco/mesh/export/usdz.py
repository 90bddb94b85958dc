"""USDZ (Pixar's specification: an uncompressed, aligned zip; the layer first) through usd-core, for AR viewers: y up, metres."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from geco.errors import ConfigError, MissingExtraError, OutputError
from geco.files import atomic_path
from geco.mesh.export.axes import flip_v, srgb_to_linear, y_up
from geco.mesh.export.images import TextureFormat, encode_texture
from geco.mesh.export.metadata import plain
from geco.mesh.normals import vertex_normals
from geco.mesh.types import Mesh
from geco.version import __version__

_ROUGHNESS = 0.8  # as in the GLB


def write_usdz(
    mesh: Mesh, path: Path, extras: Mapping[str, Any], kind: TextureFormat, quality: int | None, name: str
) -> list[Path]:
    """Write ``mesh`` with a UsdPreviewSurface material. Returns the files written.

    Raises:
        MissingExtraError: usd-core is not installed.
        ConfigError: a WebP texture, which USDZ does not allow.
        OutputError: the file cannot be written.
    """
    try:
        from pxr import Sdf, Tf
    except ImportError as error:
        raise MissingExtraError("usd-core", "usd", "USDZ export") from error
    if kind.name == "webp" and mesh.texture is not None:
        raise ConfigError("USDZ holds no WebP textures", "Use the texture format jpeg or png.")
    with atomic_path(path) as temporary, tempfile.TemporaryDirectory(prefix="geco-usdz-") as folder:
        layer = Path(folder) / "asset.usdc"
        picture = Path(folder) / f"texture{kind.suffix}" if mesh.texture is not None else None
        if picture is not None and mesh.texture is not None:
            picture.write_bytes(encode_texture(mesh.texture, kind, quality))
        try:
            _write_layer(mesh, layer, picture.name if picture else None, extras, re.sub(r"\W", "_", name, flags=re.ASCII))
            with Sdf.ZipFileWriter.CreateNew(str(temporary)) as package:
                for file in (layer, picture):
                    if file is not None:
                        package.AddFile(str(file), file.name)
        except Tf.ErrorException as error:
            raise OutputError(
                f"cannot write {path}: {_first_line(error)}", "Choose another output path, or free some space."
            ) from error
    return [path]


def _write_layer(mesh: Mesh, layer: Path, picture: str | None, extras: Mapping[str, Any], name: str) -> None:
    from pxr import Gf, Kind, Sdf, Usd, UsdGeom, UsdShade, Vt

    stage = Usd.Stage.CreateNew(str(layer))
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    # USD dictionaries hold no lists or nulls: nested facts are kept as text.
    facts = {key: value if isinstance(value, bool | int | float | str) else str(value) for key, value in plain(extras).items()}
    stage.GetRootLayer().customLayerData = {"generator": f"GECO {__version__}", **facts}
    root = UsdGeom.Xform.Define(stage, "/Asset")
    Usd.ModelAPI(root.GetPrim()).SetKind(Kind.Tokens.component)
    stage.SetDefaultPrim(root.GetPrim())

    shape = UsdGeom.Mesh.Define(stage, f"/Asset/{name if name and not name[0].isdigit() else f'_{name}'}")
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
    if mesh.texture is None and mesh.colors is not None:  # displayColor is linear, as every colour without a tag in USD
        color = primvars.CreatePrimvar("displayColor", Sdf.ValueTypeNames.Color3fArray, UsdGeom.Tokens.vertex)
        color.Set(Vt.Vec3fArray.FromNumpy(srgb_to_linear(np.clip(mesh.colors, 0.0, 1.0))))

    material = UsdShade.Material.Define(stage, "/Asset/Material")
    surface = UsdShade.Shader.Define(stage, "/Asset/Material/Surface")
    surface.CreateIdAttr("UsdPreviewSurface")
    surface.CreateInput("metallic", Sdf.ValueTypeNames.Float).Set(0.0)
    surface.CreateInput("roughness", Sdf.ValueTypeNames.Float).Set(_ROUGHNESS)
    diffuse = surface.CreateInput("diffuseColor", Sdf.ValueTypeNames.Color3f)
    material.CreateSurfaceOutput().ConnectToSource(surface.ConnectableAPI(), "surface")
    reader = UsdShade.Shader.Define(stage, "/Asset/Material/Reader")
    if picture is not None:
        reader.CreateIdAttr("UsdPrimvarReader_float2")
        reader.CreateInput("varname", Sdf.ValueTypeNames.String).Set("st")
        texture = UsdShade.Shader.Define(stage, "/Asset/Material/Texture")
        texture.CreateIdAttr("UsdUVTexture")
        texture.CreateInput("file", Sdf.ValueTypeNames.Asset).Set(Sdf.AssetPath(picture))
        texture.CreateInput("sourceColorSpace", Sdf.ValueTypeNames.Token).Set("sRGB")
        for axis in ("wrapS", "wrapT"):
            texture.CreateInput(axis, Sdf.ValueTypeNames.Token).Set("clamp")
        texture.CreateInput("fallback", Sdf.ValueTypeNames.Float4).Set(Gf.Vec4f(1, 1, 1, 1))
        texture.CreateInput("st", Sdf.ValueTypeNames.Float2).ConnectToSource(reader.ConnectableAPI(), "result")
        diffuse.ConnectToSource(texture.ConnectableAPI(), "rgb")
    else:
        reader.CreateIdAttr("UsdPrimvarReader_float3")
        reader.CreateInput("varname", Sdf.ValueTypeNames.String).Set("displayColor")
        reader.CreateInput("fallback", Sdf.ValueTypeNames.Vector3f).Set(Gf.Vec3f(1, 1, 1))
        diffuse.ConnectToSource(reader.ConnectableAPI(), "result")
    UsdShade.MaterialBindingAPI.Apply(shape.GetPrim()).Bind(material)
    stage.GetRootLayer().Save()


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
