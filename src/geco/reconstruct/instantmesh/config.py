"""Typed settings of the InstantMesh reconstructors, and those of the four released checkpoints.
No torch here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from geco.checked import Checked, choice, inner, real, reals, whole
from geco.errors import ConfigError
from geco.reconstruct.vit_config import ViTConfig

Kind = Literal["nerf", "mesh"]


@dataclass(frozen=True)
class InstantMeshConfig(Checked):
    """One reconstructor; the field names are those of InstantMesh's configs/*.yaml, defaults are
    instant-mesh-large's.

    Attributes:
        kind: "nerf" (density and colour, volume rendered) or "mesh" (SDF, deformation, FlexiCubes weights,
            colour).
        triplane_low_res, triplane_high_res: plane side before and after the upsampler (a factor of 2).
        rendering_samples_per_ray: half of them coarse, half fine (nerf).
        grid_res, grid_scale: cubes a side, and the grid's side in world units (mesh); yaml 2.1, the class
            default was 2.0.
        flexicubes_weight_scale: InstantMesh uses 0.5, FlexiCubes' own default is 0.99.
        deformation_multiplier: corners move by at most 1 / (grid_res * multiplier).
        image_mean, image_std: normalisation before the ViT. ImageNet's; unverified against the hub file of
            facebook/dino-vitb16, supported by TripoSR, which hard-codes them for the same backbone.
    """

    kind: Kind = choice("mesh", get_args(Kind))
    vit: ViTConfig = inner(ViTConfig)
    transformer_dim: int = whole(1024, 1, 8192)
    transformer_layers: int = whole(16, 0, 64)
    transformer_heads: int = whole(16, 1, 128)
    triplane_low_res: int = whole(32, 1, 128)
    triplane_high_res: int = whole(64, 2, 256)
    triplane_dim: int = whole(80, 1, 1024)
    rendering_samples_per_ray: int = whole(128, 4, 4096)
    grid_res: int = whole(128, 4, 512)
    grid_scale: float = real(2.1, 0.01, 100.0)
    flexicubes_weight_scale: float = real(0.5, 0.0, 1.0)
    deformation_multiplier: float = real(4.0, 0.1, 1000.0)
    camera_dim: int = whole(16, 1, 1024)
    image_mean: tuple[float, float, float] = reals((0.485, 0.456, 0.406), -10.0, 10.0, 3, 3)
    image_std: tuple[float, float, float] = reals((0.229, 0.224, 0.225), 1e-6, 100.0, 3, 3)

    def check(self) -> None:
        """Sizes that belong together."""
        if self.triplane_high_res != 2 * self.triplane_low_res:
            raise ConfigError(
                f"triplane_high_res {self.triplane_high_res} is not twice triplane_low_res "
                f"{self.triplane_low_res}",
                "The upsampler is one transposed convolution of stride 2.",
            )
        if self.transformer_dim % self.transformer_heads:
            raise ConfigError(
                f"transformer_dim {self.transformer_dim} is not a multiple of its {self.transformer_heads} "
                f"heads"
            )


_BASE: dict[str, Any] = {"transformer_layers": 12, "triplane_dim": 40, "rendering_samples_per_ray": 96}
# configs/instant-{nerf,mesh}-{base,large}.yaml of TencentARC/InstantMesh.
RELEASED: dict[str, InstantMeshConfig] = {
    "instant-nerf-base": InstantMeshConfig(kind="nerf", **_BASE),
    "instant-nerf-large": InstantMeshConfig(kind="nerf"),
    "instant-mesh-base": InstantMeshConfig(kind="mesh", **_BASE),
    "instant-mesh-large": InstantMeshConfig(kind="mesh"),
}
