"""The one view that is certain: the input picture, and the camera that took it."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from geco.cameras import INPUT_FOV, INPUT_LENS
from geco.photo.input_camera import InputCamera
from geco.photo.outline_camera import find_camera, prior_camera
from geco.photo.rough import KNOWN_CAMERA_IOU, POINTS
from geco.types import Floats

# Units of a step of the camera's optimiser: degrees of elevation, the scale's logarithm, parts of a picture.
UNITS = (20.0, 1.0, 1.0, 1.0)


class PictureTerm(nn.Module):
    """Colours and outline of the input view against the picture.

    Args:
        rgba: (P, P, 4) in [0, 1], the cut-out picture, straight alpha.
        color_weight, mask_weight: of the two mean squared errors.

    Attributes:
        place: (4,) elevation, logarithm of the scale, offset right and down, each over its :data:`UNITS`; may
            be optimised.
    """

    def __init__(self, rgba: Floats, color_weight: float, mask_weight: float, device: torch.device) -> None:
        super().__init__()
        self.rgba, self.weights = rgba, (color_weight, mask_weight)
        straight = torch.from_numpy(rgba).to(device).permute(2, 0, 1)[None]
        self._layers = torch.cat([straight[:, :3] * straight[:, 3:], straight[:, 3:]], dim=1)
        self._scaled: dict[int, tuple[Tensor, Tensor]] = {}
        self.place = nn.Parameter(torch.zeros(4, device=device))
        self.set(prior_camera(rgba[..., 3]))

    @torch.no_grad()
    def set(self, camera: InputCamera) -> None:
        """Take this camera; azimuth, lens and distance are always the input camera's."""
        values = (camera.elevation, math.log(camera.scale), *camera.offset)
        self.place.copy_(torch.tensor([value / unit for value, unit in zip(values, UNITS)]))

    @property
    def camera(self) -> InputCamera:
        """As it is now."""
        up, size, right, down = (value * unit for value, unit in zip(self.place.tolist(), UNITS))
        return InputCamera(up, scale=math.exp(size), offset=(right, down))

    def look_again(self, solid: Floats) -> None:
        """Find the camera by points (N, 3) inside the object; kept where outlines do not tell."""
        found = find_camera(solid[:: max(len(solid) // POINTS, 1)], self.rgba[..., 3])
        if found.iou >= KNOWN_CAMERA_IOU:
            self.set(found)

    def pose(self) -> tuple[Tensor, Tensor, Tensor]:
        """The camera with gradients: (4, 4) camera-to-world, scale, offset (2,)."""
        up, size, right, down = (self.place * self.place.new_tensor(UNITS)).unbind()
        angle = torch.deg2rad(up)
        zero, one, lens = torch.zeros_like(angle), torch.ones_like(angle), INPUT_LENS
        back = torch.stack([angle.cos(), zero, angle.sin()])
        rows = [
            torch.stack([zero, one, zero]),
            torch.stack([-angle.sin(), zero, angle.cos()]),
            back,
            back * lens.radius,
        ]
        top = torch.stack(rows, dim=1)
        bottom = top.new_tensor([[0.0, 0.0, 0.0, 1.0]])
        return torch.cat([top, bottom]), size.exp(), torch.stack([right, down])

    def at(self, size: int) -> tuple[Tensor, Tensor]:
        """The picture over white (S, S, 3) and its alpha (S, S)."""
        if size not in self._scaled:
            small = F.interpolate(self._layers, (size, size), mode="bilinear", antialias=True)[0]
            self._scaled[size] = (small[:3] + 1 - small[3:]).permute(1, 2, 0), small[3]
        return self._scaled[size]

    def loss(self, rgb: Tensor, mask: Tensor) -> Tensor:
        """Of a rendered input view (S, S, 3) over white and its coverage (S, S)."""
        colors, alpha = self.at(rgb.shape[0])
        color, outline = self.weights
        return color * (rgb - colors).square().mean() + outline * (mask - alpha).square().mean()

    def psnr(self, rgb: Tensor) -> float:
        """In dB, of a rendered input view over white."""
        error = (rgb.detach() - self.at(rgb.shape[0])[0]).square().mean()
        return float(-10 * torch.log10(error.clamp(min=1e-10)))


def seen_through(vertices: Tensor, pose: Tensor, scale: Tensor, offset: Tensor) -> Tensor:
    """World vertices (V, 3) moved so that the camera's plain picture of them is the window's of the others:
    the rasteriser knows no windows, and stretching and moving a picture is linear in the camera's space.

    Args:
        pose: (4, 4) camera-to-world. scale, offset: of the window; all with gradients.
    """
    local = (vertices - pose[:3, 3]) @ pose[:3, :3]
    slope, depth = 2 * math.tan(math.radians(INPUT_FOV) / 2), -local[:, 2]
    right = scale * local[:, 0] + offset[0] * slope * depth
    up = scale * local[:, 1] - offset[1] * slope * depth
    return torch.stack([right, up, local[:, 2]], dim=1) @ pose[:3, :3].T + pose[:3, 3]
