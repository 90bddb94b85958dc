"""Settings of a DINO ViT, the image encoder of InstantMesh and of TripoSR. No torch here."""

from __future__ import annotations

from dataclasses import dataclass

from geco.checked import Checked, flag, real, whole
from geco.errors import ConfigError


@dataclass(frozen=True)
class ViTConfig(Checked):
    """The image encoder; defaults are facebook/dino-vitb16's (eps, bias and GELU: transformers'
    ViTConfig defaults).
    """

    hidden_size: int = whole(768, 1, 4096)
    num_hidden_layers: int = whole(12, 0, 64)
    num_attention_heads: int = whole(12, 1, 128)
    intermediate_size: int = whole(3072, 1, 16384)
    patch_size: int = whole(16, 1, 128)
    image_size: int = whole(224, 1, 2048)
    qkv_bias: bool = flag(True)
    layer_norm_eps: float = real(1e-12, 0.0, 1.0)

    def check(self) -> None:
        """Sizes that divide each other."""
        if self.hidden_size % self.num_attention_heads:
            raise ConfigError(
                f"ViT hidden_size {self.hidden_size} is not a multiple of its {self.num_attention_heads} "
                f"heads"
            )
        if self.image_size % self.patch_size or self.image_size // self.patch_size > 128:
            raise ConfigError(
                f"ViT image_size {self.image_size} does not fit its patch_size {self.patch_size}"
            )
