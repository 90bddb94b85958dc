"""Base colours of glTF materials: picture, factor and the coordinates that place it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geco.data.objects.gltf_accessors import Buffers, item, whole
from geco.data.objects.pictures import Pictures
from geco.data.objects.refusal import ObjectError, Reason
from geco.data.objects.soup import ALL_HOLES, MASK_CUTOFF, Soup, blended
from geco.types import Bytes, Doubles

DARK = 1 / 255  # a base colour below shows nothing


@dataclass
class Material:
    """What a primitive needs of its material.

    Attributes:
        slot: index into the soup's textures.
        factor: (3,) linear, multiplied with texture and vertex colours.
        texcoord: the attribute with its texture coordinates.
        placement: (2, 3) affine map of texture coordinates, or None.
    """

    slot: int
    factor: Doubles
    texcoord: str
    placement: Doubles | None


class Materials:
    """Reads each material and each picture once, and puts them into the soup."""

    def __init__(self, buffers: Buffers, soup: Soup) -> None:
        self.buffers, self.soup = buffers, soup
        self.pictures = Pictures(buffers.folder)
        self.read: dict[int | None, Material] = {}
        self.decoded: dict[int, Bytes] = {}

    def __getitem__(self, index: Any) -> Material:
        key = None if index is None else whole(index)
        if key not in self.read:
            self.read[key] = self._material(
                {} if key is None else item(self.buffers.document, "materials", key)
            )
        return self.read[key]

    def _material(self, material: dict[str, Any]) -> Material:
        # Sketchfab's older exports colour through this extension and leave metallic-roughness at its
        # defaults.
        glossy = material.get("extensions", {}).get("KHR_materials_pbrSpecularGlossiness", {})
        pbr = material.get("pbrMetallicRoughness", {})
        texture = pbr.get("baseColorTexture", glossy.get("diffuseTexture"))
        given = pbr.get("baseColorFactor", glossy.get("diffuseFactor"))
        factor = np.array([1.0, 1, 1, 1] if given is None else given, np.float64)
        if factor.shape != (4,) or not np.isfinite(factor).all():
            raise ObjectError(
                Reason.NOT_FINITE, f"{self.buffers.name}: a material colour that is not four finite numbers"
            )
        self.soup.colored |= texture is not None or given is not None
        picture = None if texture is None else self._picture(texture["index"])
        cutoff = _cutoff(material, factor[3])
        glow = self._emission(material) if _is_dark(factor, picture) else None
        if glow is not None:
            picture, factor, texture = glow
            cutoff = 0.0 if cutoff < 1 else cutoff  # its alpha says nothing of the surface
        slot = self.soup.add_material(picture, cutoff)
        extension = {} if texture is None else texture.get("extensions", {}).get("KHR_texture_transform", {})
        texcoord = extension.get("texCoord", texture.get("texCoord", 0) if texture else 0)
        return Material(
            slot,
            np.clip(factor[:3], 0, 1),
            f"TEXCOORD_{whole(texcoord)}",
            _placement(extension) if extension else None,
        )

    def _emission(self, material: dict[str, Any]) -> tuple[Bytes | None, Doubles, Any] | None:
        """Picture, factor and texture of what shines, or None. Baked models are black and carry
        their colour there.
        """
        factor = np.array(material.get("emissiveFactor", (0, 0, 0)), np.float64)
        if factor.shape != (3,) or not np.isfinite(factor).all() or factor.max() < DARK:
            return None
        texture = material.get("emissiveTexture")
        picture = None if texture is None else self._picture(texture["index"])
        if picture is not None and picture[..., :3].max() <= 1:
            return None
        self.soup.notes["emission-as-colour"] += 1
        self.soup.colored = True
        return picture, factor, texture

    def _picture(self, index: Any) -> Bytes:
        texture = item(self.buffers.document, "textures", index)
        source = (
            texture.get("extensions", {})
            .get("EXT_texture_webp", texture)
            .get("source", texture.get("source"))
        )
        if source is None:
            raise ObjectError(
                Reason.UNSUPPORTED, f"{self.buffers.name}: a texture without a picture that can be read"
            )
        source = whole(source)
        if source not in self.decoded:
            image = item(self.buffers.document, "images", source)
            data = (
                self.buffers.view(image["bufferView"])
                if "bufferView" in image
                else self.buffers.read_uri(image["uri"])
            )
            self.decoded[source] = self.pictures.decode(data)
        return self.decoded[source]


def to_srgb(linear: NDArray[Any]) -> Doubles:
    """glTF's factors and vertex colours are linear, our pictures sRGB (IEC 61966-2-1); values are clipped to
    [0, 1].

    A product in sRGB is exact where the texture is white or absent.
    """
    linear = np.clip(np.asarray(linear, np.float64), 0, 1)
    return np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    )


def _is_dark(factor: Doubles, picture: Bytes | None) -> bool:
    """Whether a base colour is black whatever the vertices say."""
    return bool(factor[:3].max() < DARK or (picture is not None and picture[..., :3].max() <= 1))


def _cutoff(material: dict[str, Any], alpha: float) -> float:
    """The texel's alpha below which it is a hole, the factor's alpha taken into account."""
    if material.get("alphaMode") == "BLEND":
        return blended(alpha)
    if material.get("alphaMode") != "MASK":
        return 0.0
    cutoff = float(material.get("alphaCutoff", MASK_CUTOFF))
    if not np.isfinite(cutoff):
        raise ValueError("an alpha cutoff that is not finite")
    return min(cutoff / alpha, ALL_HOLES) if alpha > 0 else ALL_HOLES * (cutoff > 0)


def _placement(extension: dict[str, Any]) -> Doubles:
    """KHR_texture_transform: translation @ rotation @ scale, with its rotation's sign."""
    x, y = extension.get("scale", (1, 1))
    angle = float(extension.get("rotation", 0))
    cosine, sine = np.cos(angle), np.sin(angle)
    across, down = extension.get("offset", (0, 0))
    return np.array([[cosine * x, sine * y, across], [-sine * x, cosine * y, down]], np.float64)
