"""Typed settings of the InstantMesh reconstructors, and those of the four released checkpoints. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from geco.errors import ConfigError

Kind = Literal["nerf", "mesh"]


@dataclass(frozen=True)
class ViTConfig:
    """The image encoder; defaults are facebook/dino-vitb16's (eps, bias and GELU: transformers' ViTConfig defaults)."""

    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    patch_size: int = 16
    image_size: int = 224
    qkv_bias: bool = True
    layer_norm_eps: float = 1e-12

    def __post_init__(self) -> None:
        if self.hidden_size % self.num_attention_heads:
            raise ConfigError(f"ViT hidden_size {self.hidden_size} is not a multiple of its {self.num_attention_heads} heads")
        if self.image_size % self.patch_size:
            raise ConfigError(f"ViT image_size {self.image_size} is not a multiple of its patch_size {self.patch_size}")


@dataclass(frozen=True)
class InstantMeshConfig:
    """One reconstructor; the field names are those of InstantMesh's configs/*.yaml, defaults are instant-mesh-large's.

    Attributes:
        kind: "nerf" (density and colour, volume rendered) or "mesh" (SDF, deformation, FlexiCubes weights, colour).
        triplane_low_res, triplane_high_res: plane side before and after the upsampler (a factor of 2).
        rendering_samples_per_ray: half of them coarse, half fine (nerf).
        grid_res, grid_scale: cubes a side, and the grid's side in world units (mesh); yaml 2.1, the class default was 2.0.
        flexicubes_weight_scale: InstantMesh uses 0.5, FlexiCubes' own default is 0.99.
        deformation_multiplier: corners move by at most 1 / (grid_res * multiplier).
        image_mean, image_std: normalisation before the ViT. ImageNet's; unverified against the hub file of
            facebook/dino-vitb16, supported by TripoSR, which hard-codes them for the same backbone.
    """

    kind: Kind = "mesh"
    vit: ViTConfig = field(default_factory=ViTConfig)
    transformer_dim: int = 1024
    transformer_layers: int = 16
    transformer_heads: int = 16
    triplane_low_res: int = 32
    triplane_high_res: int = 64
    triplane_dim: int = 80
    rendering_samples_per_ray: int = 128
    grid_res: int = 128
    grid_scale: float = 2.1
    flexicubes_weight_scale: float = 0.5
    deformation_multiplier: float = 4.0
    camera_dim: int = 16
    image_mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    image_std: tuple[float, float, float] = (0.229, 0.224, 0.225)

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ConfigError(f"reconstructor kind {self.kind!r} is unknown", "It is 'nerf' or 'mesh'.")
        if self.triplane_high_res != 2 * self.triplane_low_res:
            raise ConfigError(
                f"triplane_high_res {self.triplane_high_res} is not twice triplane_low_res {self.triplane_low_res}",
                "The upsampler is one transposed convolution of stride 2.",
            )
        if self.transformer_dim % self.transformer_heads:
            raise ConfigError(f"transformer_dim {self.transformer_dim} is not a multiple of its {self.transformer_heads} heads")
        if self.rendering_samples_per_ray < 4:
            raise ConfigError(f"rendering_samples_per_ray {self.rendering_samples_per_ray} is below 4")
        if self.grid_res < 4:
            raise ConfigError(f"grid_res {self.grid_res} is below 4")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for config.json; :meth:`from_dict` reads them back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> InstantMeshConfig:
        """From config.json; raises :class:`ConfigError` naming an unknown field."""
        known = _known(cls, values)
        known["vit"] = ViTConfig(**_known(ViTConfig, known.get("vit", {})))
        for name in ("image_mean", "image_std"):
            if name in known:
                known[name] = tuple(known[name])
        return cls(**known)

    @classmethod
    def from_reference(
        cls, kind: Kind, model_params: Mapping[str, Any], vit: Mapping[str, Any] | None = None, **more: Any
    ) -> InstantMeshConfig:
        """From the ``model_config.params`` of an InstantMesh yaml and a transformers ViT config; other keys are ignored."""
        params = {name: model_params[name] for name in (f.name for f in fields(cls)) if name in model_params}
        encoder = ViTConfig(**{f.name: vit[f.name] for f in fields(ViTConfig) if f.name in vit}) if vit else ViTConfig()
        if model_params.get("encoder_feat_dim", encoder.hidden_size) != encoder.hidden_size:
            raise ConfigError(f"encoder_feat_dim {model_params['encoder_feat_dim']} differs from the ViT's {encoder.hidden_size}")
        return cls(**{**params, **more, "kind": kind, "vit": encoder})


def _known(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(values) - {f.name for f in fields(kind)})
    if unknown:
        raise ConfigError(f"unknown setting {unknown[0]!r} for {kind.__name__}", "Was the folder written by a newer version?")
    return dict(values)


_BASE: dict[str, Any] = {"transformer_layers": 12, "triplane_dim": 40, "rendering_samples_per_ray": 96}
# configs/instant-{nerf,mesh}-{base,large}.yaml of TencentARC/InstantMesh.
RELEASED: dict[str, InstantMeshConfig] = {
    "instant-nerf-base": InstantMeshConfig(kind="nerf", **_BASE),
    "instant-nerf-large": InstantMeshConfig(kind="nerf"),
    "instant-mesh-base": InstantMeshConfig(kind="mesh", **_BASE),
    "instant-mesh-large": InstantMeshConfig(kind="mesh"),
}
