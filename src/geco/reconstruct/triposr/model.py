"""The whole network: a picture to planes, planes to a density and colours."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from geco.reconstruct.packed import pack
from geco.reconstruct.triposr.backbone import Backbone, TripleTokens, Upsampler, pack_backbone
from geco.reconstruct.triposr.config import TripoSRConfig
from geco.reconstruct.triposr.decoder import Decoder, activate, point_outputs
from geco.reconstruct.vit import ViT, normalized


class _ImageTokenizer(nn.Module):
    """A picture in [0, 1] to tokens."""

    def __init__(self, config: TripoSRConfig) -> None:
        super().__init__()
        self.image_mean, self.image_std = config.image_mean, config.image_std
        self.model = ViT(config.vit)

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, S, S) -> (B, 1+P, D)."""
        dtype = self.model.embeddings.cls_token.dtype
        return self.model(normalized(pictures, self.image_mean, self.image_std).to(dtype))


class TripoSR(nn.Module):
    """State keys are those of the released checkpoint."""

    def __init__(self, config: TripoSRConfig) -> None:
        super().__init__()
        self.config = config
        self.image_tokenizer = _ImageTokenizer(config)
        self.tokenizer = TripleTokens(config)
        self.backbone = Backbone(config)
        self.post_processor = Upsampler(config)
        self.decoder = Decoder(config)

    @classmethod
    def on_meta(cls, config: TripoSRConfig) -> TripoSR:
        """Shapes without memory; fill it with ``load_state_dict(..., assign=True)``."""
        with torch.device("meta"):
            return cls(config)

    def pack(self, dtype: torch.dtype) -> TripoSR:
        """This model made ready for a CPU, for good: the products of encoder and backbone in ``dtype`` by
        oneDNN, everything else in float32 (norms, what blocks add to, scores of attention, the decoder).
        """
        pack(self.image_tokenizer, dtype)
        pack_backbone(self.backbone, dtype)
        for parameter in self.parameters():  # lets go of the file that all of them lie in
            parameter.data = parameter.data.clone()
        return self

    @property
    def device(self) -> torch.device:
        return self.tokenizer.embeddings.device

    def condition(self, pictures: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B, 3, S, S): the public code's bilinear resize with antialias."""
        size = (self.config.cond_image_size,) * 2
        if pictures.shape[-2:] == size:
            return pictures
        return F.interpolate(pictures, size, mode="bilinear", align_corners=False, antialias=True)

    def forward(self, pictures: Tensor) -> Tensor:
        """Planes of each object.

        Args:
            pictures: (B, 3, H, W) in [0, 1] over grey, the object framed as the model wants it.

        Returns:
            (B, 3, C, 2P, 2P) planes xy, xz, yz over [-radius, radius].
        """
        return self.planes(self.image_tokenizer(self.condition(pictures)))

    def planes(self, picture_tokens: Tensor) -> Tensor:
        """(B, 1+P, D) -> (B, 3, C, 2P, 2P)."""
        tokens = self.backbone(self.tokenizer(len(picture_tokens)), picture_tokens)
        return self.post_processor(self.tokenizer.planes(tokens))

    def outputs(self, planes: Tensor, points: Tensor) -> Tensor:
        """(B, 3, C, H, W), (B, P, 3) in TripoSR's units -> (B, P, 4) before the activations."""
        return point_outputs(self.decoder, planes, points, self.config)

    def density(self, planes: Tensor, points: Tensor) -> Tensor:
        """(B, P) activated densities."""
        raw = self.outputs(planes, points)[..., 0]
        return activate(raw + self.config.density_bias, self.config.density_activation)

    def color(self, planes: Tensor, points: Tensor) -> Tensor:
        """(B, P, 3) colours in [0, 1]."""
        return activate(self.outputs(planes, points)[..., 1:], self.config.color_activation)
