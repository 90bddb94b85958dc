"""GECO's small multi-view network: a UNet over each of six views that attends across all of them and over the
clean condition picture, and shares a volume among them. Pixels in [-1, 1]; it predicts x0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from torch.nn import functional

VIEWS, LIFTED = 6, 16  # views of a sample; channels of a map that is lifted into the volume
State = dict[str, Any]  # what the write pass of a condition leaves


class Residual(nn.Module):
    """Two convolutions in two or three dimensions, scale and shift of an embedding between them."""

    def __init__(self, channels_in: int, channels: int, embedding: int, volume: bool = False) -> None:
        super().__init__()
        conv = nn.Conv3d if volume else nn.Conv2d
        self.norm_in = nn.GroupNorm(8, channels_in)
        self.conv_in = conv(channels_in, channels, 3, padding=1)
        self.norm_out = nn.GroupNorm(8, channels)
        self.film = nn.Linear(embedding, 2 * channels)
        self.conv_out = conv(channels, channels, 3, padding=1)
        if not volume:
            self.skip = nn.Conv2d(channels_in, channels, 1) if channels_in != channels else nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        hidden = self.conv_in(functional.silu(self.norm_in(x)))
        film = self.film(embedding).reshape(len(embedding), -1, *(1,) * (x.ndim - 2))
        scale, shift = film.chunk(2, dim=1)
        hidden = self.norm_out(hidden) * (1 + scale) + shift
        skipped = self.skip(x) if hasattr(self, "skip") else x
        return skipped + self.conv_out(functional.silu(hidden))


class Attention(nn.Module):
    """Over the tokens of all views of a sample and those stored of the condition, then an MLP."""

    def __init__(self, width: int, heads: int, mlp_ratio: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, mlp_ratio * width), nn.SiLU(), nn.Linear(mlp_ratio * width, width)
        )

    def forward(self, x: Tensor, views: int, stored: Tensor | None) -> tuple[Tensor, Tensor]:
        count, width, high, wide = x.shape
        shape = (count // views, views * high * wide, width)
        tokens = x.flatten(2).transpose(1, 2).reshape(shape)
        qkv = self.qkv(self.norm(tokens)).reshape(*shape[:2], 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        own = torch.stack([key, value], dim=1)
        if stored is not None:
            key = torch.cat([key, stored[:, 0].to(key.dtype)], dim=2)
            value = torch.cat([value, stored[:, 1].to(value.dtype)], dim=2)
        scores = torch.matmul(query * query.shape[-1] ** -0.5, key.transpose(-1, -2))
        mixed = torch.matmul(scores.softmax(dim=-1), value)
        tokens = tokens + self.out(mixed.transpose(1, 2).reshape(shape))
        tokens = tokens + self.mlp(self.mlp_norm(tokens))
        return tokens.reshape(count, high * wide, width).transpose(1, 2).reshape(x.shape), own


class Volume(nn.Module):
    """Maps of the views and of the condition lifted into a volume, mixed there, and drawn into every view.
    Which pixel a voxel sees, and which voxels a ray meets, is stored with the weights.
    """

    lift_index: Tensor
    draw_index: Tensor
    waves: Tensor

    def __init__(self, cells: int, channels: int, size: int, width: int, embedding: int) -> None:
        super().__init__()
        self.cells, self.size, self.width = cells, size, width
        self.register_buffer("lift_index", torch.zeros(7 * size**3, dtype=torch.int64))
        self.register_buffer("draw_index", torch.zeros(6 * cells**2 * size, dtype=torch.int64))
        self.register_buffer("waves", torch.zeros(size, 5))
        self.lift_view = nn.Conv2d(channels, LIFTED, 1)
        self.lift_picture = nn.Conv2d(channels, LIFTED, 1)
        self.mix = nn.Linear(7 * LIFTED + 15, 2 * width)
        self.enter = nn.Linear(2 * width, width)
        self.fine = Residual(width, width, embedding, volume=True)
        self.down1 = nn.Conv3d(width, 2 * width, 2, stride=2)
        self.middle = Residual(2 * width, 2 * width, embedding, volume=True)
        self.down2 = nn.Conv3d(2 * width, 4 * width, 2, stride=2)
        self.coarse = Residual(4 * width, 4 * width, embedding, volume=True)
        self.up2 = nn.ConvTranspose3d(4 * width, 2 * width, 2, stride=2)
        self.middle_out = Residual(2 * width, 2 * width, embedding, volume=True)
        self.up1 = nn.ConvTranspose3d(2 * width, width, 2, stride=2)
        self.leave = nn.Conv3d(width, width + 1, 3, padding=1)
        self.out = nn.Conv2d(width + 2, channels, 1)

    def forward(self, views: Tensor, picture: Tensor, embedding: Tensor) -> Tensor:
        """(B, 6, C, h, h), (B, C, h, h), (B, E) -> (B, 6, C, h, h)."""
        seen = self.lift_view(views.flatten(0, 1)).reshape(-1, VIEWS, LIFTED, self.cells, self.cells)
        maps = torch.cat([seen, self.lift_picture(picture)[:, None]], dim=1)
        rows = maps.permute(1, 3, 4, 0, 2).reshape(7 * self.cells**2, -1)
        lifted = rows[self.lift_index].reshape(7, self.size**3, -1, LIFTED).permute(2, 1, 0, 3).flatten(2)
        x, y, z = self.waves[None, None], self.waves[None, :, None], self.waves[:, None, None]
        shape = (self.size, self.size, self.size, -1)
        place = torch.stack([each.expand(shape) for each in (x, y, z)], dim=-1).flatten(3).flatten(0, 2)
        voxels = torch.cat([lifted, place.to(lifted.dtype).expand(len(views), -1, -1)], dim=2)
        mixed = self.enter(functional.silu(self.mix(voxels))).transpose(1, 2)
        x0 = self.fine(mixed.reshape(-1, self.width, *(self.size,) * 3), embedding)
        x1 = self.middle(self.down1(x0), embedding)
        x2 = self.coarse(self.down2(x1), embedding)
        x1 = self.middle_out(x1 + self.up2(x2), embedding)
        return self.draw(self.leave(functional.silu(x0 + self.up1(x1))))

    def draw(self, volume: Tensor) -> Tensor:
        """(B, width + 1, R, R, R), the last channel a raw density, front to back along every ray."""
        rows = volume.flatten(2).permute(2, 0, 1).reshape(self.size**3, -1)
        seen = rows[self.draw_index].reshape(VIEWS * self.cells**2, self.size, -1, self.width + 1)
        density = functional.softplus(seen[..., -1].float() - 2.0)
        past = torch.cumsum(density, dim=1) - density
        weight = torch.exp(-past) * (1 - torch.exp(-density))
        features = (weight[..., None].to(seen.dtype) * seen[..., :-1]).sum(dim=1)
        steps = torch.linspace(-1, 1, self.size, device=volume.device)[:, None]
        ends = [weight.sum(dim=1), (weight * steps).sum(dim=1)]
        joint = torch.cat([features, *(end[..., None].to(seen.dtype) for end in ends)], dim=2)
        maps = joint.reshape(VIEWS, self.cells, self.cells, -1, self.width + 2)
        drawn = self.out(maps.permute(3, 0, 4, 1, 2).flatten(0, 1))
        return drawn.reshape(-1, VIEWS, *drawn.shape[1:])


class GecoSmallNetwork(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """See the file's text; the settings are GECO's own (config.json)."""

    config: Any

    @register_to_config
    def __init__(
        self,
        size: int = 64,
        patch: int = 4,
        channels: int = 64,
        width: int = 192,
        stages: int = 3,
        fine_down: int = 1,
        fine_up: int = 2,
        heads: int = 3,
        mlp_ratio: int = 2,
        embedding: int = 256,
        volume: int = 0,
        volume_width: int = 48,
        rig: str = "zero123plus-v1.2",
        foreground_ratio: float = 0.85,
        schedule: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        c, d, e, pixels = channels, width, embedding, 3 * patch**2
        cells = size // patch
        self.stem = nn.Conv2d(2 * pixels, c, 3, padding=1)
        self.time = nn.Sequential(nn.Linear(128, e), nn.SiLU(), nn.Linear(e, e))
        self.camera = nn.Linear(6, e)
        self.register_buffer("view_angles", torch.zeros(VIEWS, 6))
        self.clean = nn.Parameter(torch.zeros(e))
        self.down_blocks = nn.ModuleList([Residual(c, c, e) for _ in range(fine_down)])
        self.down = nn.Conv2d(c, d, 3, stride=2, padding=1)
        self.bridge = Volume(cells, c, volume, volume_width, e) if volume else None
        self.position = nn.Parameter(torch.zeros(1, d, cells // 2, cells // 2))
        self.blocks = nn.ModuleList([Residual(d, d, e) for _ in range(stages)])
        self.attentions = nn.ModuleList([Attention(d, heads, mlp_ratio) for _ in range(stages)])
        self.up = nn.Conv2d(d, c, 1)
        self.up_blocks = nn.ModuleList([Residual(c if i else 2 * c, c, e) for i in range(fine_up)])
        self.head_norm = nn.GroupNorm(8, c)
        self.head = nn.Conv2d(c, pixels, 3, padding=1)

    def write(self, picture: Tensor) -> State:
        """The condition (B, 3, S, S) in [-1, 1], zeros for none, to what :meth:`forward` reads."""
        patches = functional.pixel_unshuffle(picture, self.config.patch)
        embedding = functional.silu(self.clean).expand(len(picture), -1)
        x = self.enter(torch.cat([patches, patches], dim=1), embedding)
        fine, stored = x, []
        x = self.down(x) + self.position.to(x.dtype)
        for block, attention in zip(self.blocks, self.attentions):
            x, own = attention(block(x, embedding), 1, None)
            stored.append(own)
        return {"patches": patches, "stored": stored, "fine": fine}

    def forward(self, x_t: Tensor, t: Tensor, state: State) -> Tensor:
        """x_t (B, 6, 3, S, S) at timesteps (B,) -> x0, float32."""
        noisy = functional.pixel_unshuffle(x_t.flatten(0, 1), self.config.patch)
        condition = state["patches"].repeat_interleave(VIEWS, dim=0)
        time = self.time(wave_features(t, 64, 1000.0).to(self.clean.dtype))
        embedding = functional.silu(time[:, None] + self.camera(self.view_angles)).flatten(0, 1)
        x = self.enter(torch.cat([noisy, condition.to(noisy.dtype)], dim=1), embedding)
        if self.bridge is not None:
            views, picture = x.reshape(-1, VIEWS, *x.shape[1:]), state["fine"].to(x.dtype)
            x = x + self.bridge(views, picture, functional.silu(time)).flatten(0, 1)
        fine = x
        x = self.down(x) + self.position.to(x.dtype)
        for block, attention, stored in zip(self.blocks, self.attentions, state["stored"]):
            x, _ = attention(block(x, embedding), VIEWS, stored)
        x = functional.interpolate(self.up(x), scale_factor=2.0, mode="nearest")
        x = torch.cat([x, fine], dim=1)
        for block in self.up_blocks:
            x = block(x, embedding)
        x = self.head(functional.silu(self.head_norm(x)))
        return functional.pixel_shuffle(x.float(), self.config.patch).reshape(x_t.shape)

    def enter(self, x: Tensor, embedding: Tensor) -> Tensor:
        """The first layers, at the high resolution."""
        x = self.stem(x.contiguous(memory_format=torch.channels_last))
        for block in self.down_blocks:
            x = block(x, embedding)
        return x


def wave_features(values: Tensor, count: int, period: float) -> Tensor:
    """(N,) -> (N, 2 count) sines and cosines."""
    rates = torch.exp(torch.arange(count, device=values.device) * (-torch.log(torch.tensor(period)) / count))
    angles = values.float()[:, None] * rates
    return torch.cat([torch.cos(angles), torch.sin(angles)], dim=1)
