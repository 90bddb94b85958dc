"""Pictures that stay on the device where they were made until somebody looks at them on the host."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from geco.types import Array, Floats, Pictures


class DevicePictures:
    """Pictures (..., H, W, 3) to whoever looks, tensors (..., 3, H, W) to the networks; see
    :class:`geco.types.Pictures`.

    Each form is made when it is first asked for, and kept: views go from the generator to the reconstructor
    without a trip to the host, and a condition picture goes to the device once.

    Args:
        pictures: numpy (..., H, W, 3), or a tensor (..., 3, H, W), float32 in [0, 1].
    """

    def __init__(self, pictures: Floats | Tensor) -> None:
        self._array = None if isinstance(pictures, Tensor) else pictures
        self._tensors = [pictures] if isinstance(pictures, Tensor) else []

    @classmethod
    def of(cls, pictures: Pictures) -> DevicePictures:
        """Anybody's pictures as these; these as they are."""
        return pictures if isinstance(pictures, cls) else cls(np.asarray(pictures))

    @property
    def shape(self) -> tuple[int, ...]:
        if self._array is not None:
            return self._array.shape
        *first, channels, height, width = self._tensors[0].shape
        return (*first, height, width, channels)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: int) -> DevicePictures:
        if not self._tensors:
            return DevicePictures(self.numpy()[index])
        return DevicePictures(self._tensors[0][index])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        found = self.numpy() if dtype is None else self.numpy().astype(dtype, copy=False)
        return found.copy() if copy else found

    def numpy(self) -> Floats:
        """(..., H, W, 3) float32 on the host, contiguous; not to be written to."""
        if self._array is None:
            pictures = self._tensors[0].float().movedim(-3, -1)
            self._array = pictures.contiguous().cpu().numpy()
        return self._array

    def on(self, device: torch.device) -> Tensor:
        """(..., 3, H, W) float32 on ``device``."""
        for tensor in self._tensors:
            # "cuda" is the current one, a tensor's has a number
            if tensor.device.type == device.type and device.index in (None, tensor.device.index):
                return tensor
        if not self._tensors:
            rows = np.ascontiguousarray(np.moveaxis(self.numpy(), -1, -3), np.float32)
            self._tensors.append(torch.from_numpy(rows))
            return self.on(device)
        self._tensors.append(self._tensors[0].to(device, torch.float32))
        return self._tensors[-1]
