"""Typed settings of TripoSR, and those of the released checkpoint. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from geco.checked import Checked, choice, flag, inner, real, reals, whole
from geco.errors import ConfigError
from geco.reconstruct.vit_config import ViTConfig

Reduction = Literal["concat", "mean"]
Activation = Literal["silu", "relu"]
FeedForward = Literal["geglu", "geglu-approximate", "gelu", "gelu-approximate"]
# What may stand between a decoder's output and a density or a colour; all of them rise, so a level of the
# density is one of the output.
Output = Literal["none", "exp", "softplus", "sigmoid", "tanh", "relu"]


@dataclass(frozen=True)
class TripoSRConfig(Checked):
    """One model; defaults are the released one's (its config.yaml).

    Attributes:
        cond_image_size: pixels a side of the picture that the ViT reads.
        plane_size, channels: of the learned triplane tokens.
        heads, head_dim, layers, norm_groups, attention_bias, feed_forward: of the backbone.
        plane_channels: of the planes, which are twice as large as the tokens'.
        neurons, hidden_layers, activation, decoder_bias: of the decoder.
        radius: half the side of the cube that the planes span, TripoSR's units.
        feature_reduction: what the decoder reads of a point's three features.
        density_activation, density_bias: density = activation(output + bias).
        samples_per_ray: of the renderer.
        level: density of the surface (extract_mesh of the public code).
        picture_distance, picture_fov: where TripoSR's own renders that show the picture's side stand, in its
            units, and their lens in degrees (its renderer's defaults).
        image_mean, image_std: hard-coded in the public code.
    """

    cond_image_size: int = whole(512, 16, 2048)
    vit: ViTConfig = inner(ViTConfig)
    plane_size: int = whole(32, 1, 128)
    channels: int = whole(1024, 1, 8192)
    heads: int = whole(16, 1, 128)
    head_dim: int = whole(64, 1, 1024)
    layers: int = whole(16, 0, 64)
    norm_groups: int = whole(32, 1, 1024)
    attention_bias: bool = flag(False)
    feed_forward: FeedForward = choice("geglu", get_args(FeedForward))
    plane_channels: int = whole(40, 1, 1024)
    neurons: int = whole(64, 1, 4096)
    hidden_layers: int = whole(9, 1, 64)
    activation: Activation = choice("silu", get_args(Activation))
    decoder_bias: bool = flag(True)
    radius: float = real(0.87, 1e-3, 1e3)
    feature_reduction: Reduction = choice("concat", get_args(Reduction))
    density_activation: Output = choice("exp", get_args(Output))
    density_bias: float = real(-1.0, -1e3, 1e3)
    color_activation: Output = choice("sigmoid", get_args(Output))
    samples_per_ray: int = whole(128, 1, 4096)
    level: float = real(25.0, 1e-6, 1e6)
    picture_distance: float = real(1.9, 1e-3, 1e3)
    picture_fov: float = real(40.0, 1.0, 179.0)
    image_mean: tuple[float, float, float] = reals((0.485, 0.456, 0.406), -10.0, 10.0, 3, 3)
    image_std: tuple[float, float, float] = reals((0.229, 0.224, 0.225), 1e-6, 100.0, 3, 3)

    def check(self) -> None:
        """Sizes that belong together."""
        if self.channels % self.norm_groups:
            raise ConfigError(
                f"{self.channels} channels do not divide into {self.norm_groups} groups of a GroupNorm"
            )
        if self.cond_image_size % self.vit.patch_size:
            raise ConfigError(
                f"pictures of {self.cond_image_size} px do not divide into {self.vit.patch_size} px patches"
            )

        if self.density_activation in ("sigmoid", "tanh") and self.level >= 1:
            raise ConfigError(
                f"a density that is a {self.density_activation} never reaches the level {self.level}"
            )

    @property
    def features(self) -> int:
        """How many numbers of a point the decoder reads."""
        return self.plane_channels * (3 if self.feature_reduction == "concat" else 1)


RELEASED = TripoSRConfig()
