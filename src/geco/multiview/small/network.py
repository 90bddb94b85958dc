"""A UNet over each of the six views that attends across all of them and over the clean condition picture.

Pixels (B, 6, 3, S, S) in [-1, 1] are cut into patches of 4; convolutions work at S/4 and S/8, attention at
S/8. The condition reaches the network twice: as extra channels of every view, and as keys and values that a
write pass of the same trunk over the clean picture left at every attention. It predicts x0 (measured to learn
much faster than v at this size).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from geco.cameras import rig
from geco.multiview.interface import Condition, ConditionState
from geco.multiview.schedule import PredictionType, Schedule
from geco.multiview.small.blocks import ResidualBlock, ViewAttention, normalize, wave_features
from geco.multiview.small.bridge import VolumeBridge
from geco.multiview.small.config import SmallConfig

VIEWS = 6


class SmallMultiView(nn.Module):
    """See the module's text; a :class:`geco.multiview.interface.MultiViewNetwork`."""

    native_prediction: PredictionType = "x0"
    noised_reference = False

    def __init__(self, config: SmallConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or SmallConfig()
        self.schedule = Schedule.from_config(config.schedule)
        self.sample_shape: tuple[int, ...] = (VIEWS, 3, config.size, config.size)
        patch_channels = 3 * config.patch**2
        c, d, e = config.channels, config.width, config.embedding
        self.stem = nn.Conv2d(2 * patch_channels, c, 3, padding=1)
        self.time = nn.Sequential(nn.Linear(128, e), nn.SiLU(), nn.Linear(e, e))
        self.camera = nn.Linear(6, e)
        self.view_angles: Tensor
        self.register_buffer("view_angles", _view_angles(config.rig), persistent=False)
        self.clean = nn.Parameter(torch.zeros(e))  # takes the place of time and camera in the write pass
        self.down_blocks = nn.ModuleList([ResidualBlock(c, c, e) for _ in range(config.fine_down)])
        self.down = nn.Conv2d(c, d, 3, stride=2, padding=1)
        fine = config.size // config.patch
        self.bridge = (
            VolumeBridge(rig(config.rig), fine, c, config.volume, config.volume_width, e)
            if config.volume
            else None
        )
        cells = fine // 2
        self.position = nn.Parameter(torch.randn(1, d, cells, cells) * 0.02)
        self.blocks = nn.ModuleList([ResidualBlock(d, d, e) for _ in range(config.stages)])
        self.attentions = nn.ModuleList(
            [ViewAttention(d, config.heads, config.mlp_ratio) for _ in range(config.stages)]
        )
        self.up = nn.Conv2d(d, c, 1)
        self.up_blocks = nn.ModuleList(
            [ResidualBlock(2 * c if i == 0 else c, c, e) for i in range(config.fine_up)]
        )
        self.head_norm = nn.GroupNorm(8, c)
        self.head = nn.Conv2d(c, patch_channels, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        if self.head.bias is not None:
            nn.init.constant_(self.head.bias, 0.8)  # most pixels are white

    def encode_condition(
        self, condition: Condition, t: Tensor | None = None, noise: Tensor | None = None
    ) -> ConditionState:
        """The write pass; condition.picture (B, 3, S, S) in [-1, 1] over white. It was trained with a clean
        reference, and knows of no timestep here: ``t`` says how much of ``noise`` the picture gets.
        """
        picture = condition.picture
        if picture is None or (t is None) != (noise is None):
            raise ValueError("the small network reads a picture, clean or with both t and noise")
        if t is not None and noise is not None:
            picture = self.schedule.add_noise(picture.float(), noise, t)
        if condition.keep is not None:
            picture = picture * condition.keep.to(picture.dtype)[:, None, None, None]
        patches = functional.pixel_unshuffle(picture, self.config.patch)
        embedding = functional.silu(self.clean).expand(picture.shape[0], -1)
        stored: list[Tensor] = []
        fine = self._trunk(torch.cat([patches, patches], dim=1), embedding, 1, stored, write=True)
        state = {"patches": patches} | {f"tokens.{index}": tokens for index, tokens in enumerate(stored)}
        return ConditionState(state | ({"fine": fine} if self.bridge else {}))

    def predict(
        self, x_t: Tensor, t: Tensor, state: ConditionState, prediction_type: PredictionType
    ) -> Tensor:
        """The read pass: x_t (B, 6, 3, S, S), t (B,) -> prediction of that type, same shape."""
        x0, _ = self.predict_opacity(x_t, t, state)
        return self.schedule.convert(x0, x_t, t, self.native_prediction, prediction_type)

    def predict_opacity(self, x_t: Tensor, t: Tensor, state: ConditionState) -> tuple[Tensor, Tensor | None]:
        """x0, and the opacity of the shared volume in every view, (B, 6, S / p, S / p), or None
        where there is no volume.
        """
        stored = [state.tensors[f"tokens.{i}"] for i in range(self.config.stages)]
        return self.denoise(x_t, t, state.tensors["patches"], stored, state.tensors.get("fine"))

    def denoise(
        self, x_t: Tensor, t: Tensor, patches: Tensor, stored: list[Tensor], fine: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """What is exported to ONNX.

        Args:
            x_t: (B, 6, 3, S, S).
            t: (B,) timesteps.
            patches: (B, 3 p^2, S / p, S / p) of the condition.
            stored: a stage, (B, 2, heads, T, width / heads) keys and values of the condition.
            fine: (B, channels, S / p, S / p) features of the condition, where there is a volume.

        Returns:
            x0 (B, 6, 3, S, S) float32, and the volume's opacity (B, 6, S / p, S / p) in [0, 1] or None.
        """
        batch = x_t.shape[0]
        noisy = functional.pixel_unshuffle(x_t.flatten(0, 1), self.config.patch)
        condition = patches.repeat_interleave(VIEWS, dim=0)
        time = self.time(wave_features(t, 64, 1000.0).to(self.clean.dtype))
        embedding = functional.silu(time[:, None] + self.camera(self.view_angles)).flatten(0, 1)
        opacity: list[Tensor] = []
        through = (
            (lambda x: self._through_volume(x, fine, time, opacity)) if self.bridge is not None else None
        )
        x = self._trunk(
            torch.cat([noisy, condition.to(noisy.dtype)], dim=1), embedding, VIEWS, stored, False, through
        )
        x = self.head(functional.silu(normalize(self.head_norm, x)))
        x0 = functional.pixel_shuffle(x.float(), self.config.patch).reshape(batch, *self.sample_shape)
        return x0, opacity[0] if opacity else None

    def _through_volume(
        self, x: Tensor, picture: Tensor | None, time: Tensor, opacity: list[Tensor]
    ) -> Tensor:
        """(B * 6, C, h, h) -> the same, with what the shared volume says added; its opacity is
        appended to the list.
        """
        assert self.bridge is not None and picture is not None
        rendered, covered = self.bridge(
            x.reshape(-1, VIEWS, *x.shape[1:]), picture.to(x.dtype), functional.silu(time)
        )
        opacity.append(covered)
        return x + rendered.flatten(0, 1)

    def _trunk(
        self,
        x: Tensor,
        embedding: Tensor,
        views: int,
        stored: list[Tensor],
        write: bool,
        through: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """(B * views, 2 * 3 p^2, h, w) -> (B * views, C, h, w). Writing fills ``stored``, stops
        there, gives the fine features.
        """
        x = self.stem(x.contiguous(memory_format=torch.channels_last))
        for block in self.down_blocks:
            x = block(x, embedding)
        if through is not None:
            x = through(x)
        fine = x
        x = self.down(x) + self.position.to(x.dtype)
        apart = self.config.apart and not write
        for index, (block, attention) in enumerate(zip(self.blocks, self.attentions)):
            known = None if write else stored[index]
            if apart and known is not None:
                known = known.repeat_interleave(VIEWS, dim=0)
            x, own = attention(block(x, embedding), 1 if apart else views, known)
            if write:
                stored.append(own)
        if write:
            return fine
        x = functional.interpolate(self.up(x), scale_factor=2.0, mode="nearest")
        x = torch.cat([x, fine], dim=1)
        for block in self.up_blocks:
            x = block(x, embedding)
        return x


def resized(network: SmallMultiView, size: int) -> SmallMultiView:
    """The same weights for views of another size (pixels); the positions, one a cell, are interpolated."""
    if network.config.size == size:
        return network
    other = SmallMultiView(replace(network.config, size=size))
    state, cells = network.state_dict(), other.position.shape[-1]
    state["position"] = functional.interpolate(
        state["position"].float(), (cells, cells), mode="bicubic", align_corners=False
    )
    other.load_state_dict(state)
    return other.to(network.position.device)


def _view_angles(name: str) -> Tensor:
    """(6, 6) features of the rig's cameras: sines and cosines of azimuth and twice the azimuth,
    sine of elevation, one.
    """
    views = rig(name)
    azimuth, elevation = torch.deg2rad(torch.tensor([views.azimuths, views.elevations]))
    features = [
        azimuth.sin(),
        azimuth.cos(),
        (2 * azimuth).sin(),
        (2 * azimuth).cos(),
        3 * elevation.sin(),
        torch.ones_like(azimuth),
    ]
    return torch.stack(features, dim=1)
