"""LPIPS (Zhang et al. 2018, arXiv 1801.03924) with our own VGG16 and AlexNet trunks, so that torchvision is
not needed.

distance(a, b) = sum over five layers of the spatial mean of the 1x1 linear head of (fa - fb)^2, where f are
the layer's features scaled to unit length at every pixel (equation 1 of the paper; version 0.1 of the
authors' ``lpips`` package). The linear heads are part of this package (assets/lpips, BSD-2-Clause, the
authors'); the trunks are torchvision's ImageNet weights, which are fetched, or read from a folder. Without
them there is no LPIPS:
nothing is substituted.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from geco.metrics.lpips_trunks import Trunk, fetch_trunk, find_trunk, trunk_of
from geco.model_files.folder import read_safetensors
from geco.model_files.state import check_state
from geco.public_weights.ckpt import read_torch_file
from geco.types import Doubles

LPIPS = "lpips-vgg"  # in a model's card: the distance it was trained with
HEADS = Path(__file__).parent.parent / "assets" / "lpips"
# The authors' scaling layer for inputs in [-1, 1]: about torchvision's ImageNet mean and deviation, 2 mean -
# 1 and 2 deviation.
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
# under the root: the authors add 1e-10 to the length instead, which has no gradient where all features are 0
TINY = 1e-20


class Lpips(nn.Module):
    """The distance for one trunk. Differentiable in the pictures; its own weights are frozen.

    Args:
        kind: "vgg" (the paper tables of this field) or "alex" (the authors' advice for comparing pictures).
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, kind: str = "vgg") -> None:
        super().__init__()
        self.trunk = trunk_of(kind)
        self.features = _features(self.trunk)
        channels = [layer.out_channels for layer in self.features if isinstance(layer, nn.Conv2d)]
        relus = [index for index, layer in enumerate(self.features) if isinstance(layer, nn.ReLU)]
        self.heads = nn.ParameterList([torch.zeros(channels[relus.index(tap)]) for tap in self.trunk.taps])
        self.register_buffer("shift", torch.tensor(SHIFT)[:, None, None], persistent=False)
        self.register_buffer("scale", torch.tensor(SCALE)[:, None, None], persistent=False)
        self.requires_grad_(False)
        self.eval()

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Distances of pairs of pictures.

        Args:
            a, b: (N, 3, H, W) in [0, 1]; scaled to [-1, 1] here, then by SHIFT and SCALE. Not resized.

        Returns:
            (N,) float32, at least 0.
        """
        if a.shape != b.shape or a.ndim != 4 or min(a.shape[-2:]) < self.trunk.smallest:
            need = f"equal shapes (N, 3, H, W) of at least {self.trunk.smallest} px"
            raise ValueError(f"LPIPS compares {need}, not {tuple(a.shape)} and {tuple(b.shape)}")
        total = torch.zeros(len(a), device=a.device)
        for head, first, second in zip(self.heads, self.layers(a), self.layers(b)):
            weighted = (_unit(first) - _unit(second)).square() * head[:, None, None]
            total = total + weighted.sum(1).mean((-2, -1))
        return total

    def layers(self, pictures: Tensor) -> Iterable[Tensor]:
        """Features of the five layers, (N, C, h, w) each, for pictures (N, 3, H, W) in [0, 1]."""
        x = (pictures * 2 - 1 - self.shift) / self.scale
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self.trunk.taps:
                yield x

    @torch.no_grad()
    def distance(self, a: ArrayLike, b: ArrayLike, batch: int = 8) -> Doubles:
        """Distances of numpy pictures (..., H, W, 3) in [0, 1]; shape = the leading dimensions."""
        first, second = np.asarray(a, np.float32), np.asarray(b, np.float32)
        if first.shape != second.shape or first.ndim < 3:
            raise ValueError(f"pictures of shapes {first.shape} and {second.shape} cannot be compared")
        pair = [
            torch.from_numpy(np.ascontiguousarray(p.reshape(-1, *p.shape[-3:]).transpose(0, 3, 1, 2)))
            for p in (first, second)
        ]
        pieces = [
            self(x.to(self.shift.device), y.to(self.shift.device)).cpu()
            for x, y in zip(*(p.split(batch) for p in pair))
        ]
        return torch.cat(pieces).double().numpy().reshape(first.shape[:-3])


def load_lpips(
    kind: str = "vgg", folder: str | os.PathLike[str] | None = None, device: torch.device | str = "cpu"
) -> Lpips:
    """LPIPS with its weights.

    Args:
        kind: "vgg" or "alex".
        folder: where the trunk's file lies: torchvision's state dictionary as
            ``vgg16*.safetensors|pth|pt|bin`` (``alexnet*``), or the hub's ``model.safetensors``; a path of
            the file itself will do. None: from the cache, else fetched (VGG16 from the hub's
            timm/vgg16.tv_in1k, AlexNet from download.pytorch.org).

    Raises:
        ConfigError: no such kind.
        WeightsError: no file in the folder, a file of another network, or nothing cached and no network.
    """
    model = Lpips(kind)
    path = fetch_trunk(kind) if folder is None else find_trunk(kind, Path(folder))
    state = {f"features.{key}": value for key, value in model.features.state_dict().items()}
    found = _read_features(path)
    check_state(found, state, path)
    model.features.load_state_dict({key.removeprefix("features."): value for key, value in found.items()})
    heads = read_safetensors(HEADS / f"{kind}.safetensors")
    wanted = {
        f"lin{index}.model.1.weight": head[None, :, None, None] for index, head in enumerate(model.heads)
    }
    check_state(heads, wanted, HEADS / f"{kind}.safetensors")
    for index, head in enumerate(model.heads):
        head.copy_(heads[f"lin{index}.model.1.weight"].reshape(-1))
    return model.to(device)


def _read_features(path: Path) -> dict[str, Tensor]:
    # Only the convolutions are used: the classifier is nine tenths of VGG16's file.
    found = read_safetensors(path) if path.suffix == ".safetensors" else read_torch_file(path)
    return {key: value for key, value in found.items() if _is_feature(key) and isinstance(value, Tensor)}


def _is_feature(key: object) -> bool:
    return isinstance(key, str) and key.startswith("features.")


def _features(trunk: Trunk) -> nn.Sequential:
    layers: list[nn.Module] = []
    for layer in trunk.layers:
        if len(layer) == 2:
            layers.append(nn.MaxPool2d(*layer))
        else:
            channels, out, kernel, stride, padding = layer
            layers += [nn.Conv2d(channels, out, kernel, stride, padding), nn.ReLU()]
    return nn.Sequential(*layers)


def _unit(features: Tensor) -> Tensor:
    return features / (features.square().sum(1, keepdim=True) + TINY).sqrt()
