"""The full family's networks as they are exported: tensors in, tensors out, weights under ``model``.

One graph of the UNet is both passes, so that its weights are in memory once: it takes each self-attention's
stored tokens, none of them in the write pass, and gives the tokens that each was given.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from geco.multiview.zero123plus.latents import decode_sheet, encode_posterior
from geco.multiview.zero123plus.network import Zero123PlusNetwork
from geco.reconstruct.instantmesh.mesh import MeshSynthesizer
from geco.reconstruct.instantmesh.model import InstantMesh
from geco.reconstruct.triplane import point_features


class FusedAttention(torch.autograd.Function):
    """Attention whose scores are never all in memory: ONNX Runtime's own operator, which adds them up piece
    by piece. 9,600 queries on 13,700 keys would take 2.6 GB a layer.
    """

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, heads: int, scale: float) -> Tensor:
        query, key, value = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (query, key, value))
        mixed = functional.scaled_dot_product_attention(query, key, value, scale=scale)
        return mixed.transpose(1, 2).flatten(2)

    @staticmethod
    def symbolic(g: Any, query: Any, key: Any, value: Any, heads: int, scale: float) -> Any:
        """As the graph has it: (B, N, heads * width) each."""
        told = {"num_heads_i": heads, "scale_f": scale}
        found = g.op("com.microsoft::MultiHeadAttention", query, key, value, **told)
        # three axes of any length: with those of the trace, what follows would be made for them alone
        found.setType(query.type().with_sizes([None, None, None]))
        return found


class BothPasses:
    """Attention processor of one layer: keeps what it was given, and sees what is stored beside it."""

    def __init__(self, name: str, given: dict[str, Tensor], kept: dict[str, Tensor]) -> None:
        self.name, self.given, self.kept = name, given, kept

    def __call__(
        self, attn: Any, hidden_states: Tensor, encoder_hidden_states: Tensor | None = None, **_: Any
    ) -> Tensor:
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        if encoder_hidden_states is None:
            self.kept[self.name] = hidden_states
            context = torch.cat([hidden_states, self.given[self.name]], dim=1)
        query, key, value = attn.to_q(hidden_states), attn.to_k(context), attn.to_v(context)
        mixed = FusedAttention.apply(query, key, value, attn.heads, float(attn.scale))
        return attn.to_out[1](attn.to_out[0](mixed))


class UnetPass(nn.Module):
    """sample (B, 4, h, w), t (B,), text (B, T, E), stored tokens (B, M, C) of each self-attention -> v, and
    each one's own tokens. Changes the UNet's attention.
    """

    def __init__(self, network: Zero123PlusNetwork) -> None:
        super().__init__()
        self.model, self.names = network.unet, network.self_attentions
        self.given: dict[str, Tensor] = {}
        self.kept: dict[str, Tensor] = {}
        names = [name.removesuffix(".processor") for name in self.model.attn_processors]
        processors: dict[str, Any] = {f"{n}.processor": BothPasses(n, self.given, self.kept) for n in names}
        self.model.set_attn_processor(processors)

    def forward(self, sample: Tensor, t: Tensor, text: Tensor, *stored: Tensor) -> tuple[Tensor, ...]:
        self.given.update(zip(self.names, stored))
        v = self.model(sample, t, encoder_hidden_states=text, return_dict=False)[0]
        return (v, *(self.kept[name] for name in self.names))


class EncodePass(nn.Module):
    """image (1, 3, H, W), scaled for the VAE -> the mean of its posterior."""

    def __init__(self, vae: Any) -> None:
        super().__init__()
        self.model = vae

    def forward(self, image: Tensor) -> Tensor:
        return encode_posterior(self.model, image, None)


class DecodePass(nn.Module):
    """x0 (1, 4, 3h, 2w) -> sheet (1, 3, 3 S, 2 S) in [0, 1]."""

    def __init__(self, vae: Any) -> None:
        super().__init__()
        self.model = vae

    def forward(self, x0: Tensor) -> Tensor:
        return decode_sheet(self.model, x0)


class VisionPass(nn.Module):
    """picture (1, 3, S, S), normalised -> CLIP's projected embedding (1, E)."""

    def __init__(self, vision: Any) -> None:
        super().__init__()
        self.model = vision

    def forward(self, picture: Tensor) -> Tensor:
        found: Tensor = self.model(picture).image_embeds
        return found


class PlanesPass(nn.Module):
    """views (1, 6, 3, S, S) in [0, 1] and cameras (1, 6, 16) -> planes (1, 3, C, H, W)."""

    def __init__(self, model: InstantMesh) -> None:
        super().__init__()
        self.model = model

    def forward(self, views: Tensor, cameras: Tensor) -> Tensor:
        return self.model(views, cameras)


class FieldsPass(nn.Module):
    """planes, points (N, 3) -> signed distance (N,), deformation before its bound (N, 3), colour (N, 3)."""

    def __init__(self, model: InstantMesh) -> None:
        super().__init__()
        self.model = model

    def forward(self, planes: Tensor, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        net = _mesh(self.model).decoder
        features = point_features(planes, points[None])
        return net.sdf(features)[0, :, 0], net.deformation(features)[0], net.color(features)[0].clamp(0, 1)


class CubesPass(nn.Module):
    """planes, corners (N, 3) and cubes (K, 8) of them -> FlexiCubes' raw weights (K, 21)."""

    def __init__(self, model: InstantMesh) -> None:
        super().__init__()
        self.model = model

    def forward(self, planes: Tensor, corners: Tensor, cubes: Tensor) -> Tensor:
        features = point_features(planes, corners[None])[0]
        return _mesh(self.model).decoder.weights(features[cubes][None])[0]


def _mesh(model: InstantMesh) -> MeshSynthesizer:
    assert isinstance(model.synthesizer, MeshSynthesizer)
    return model.synthesizer
