"""InstantMesh's crop, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from geco.errors import ConfigError, InputImageError
from geco.reconstruct.instantmesh.foreground import resize_foreground


def test_the_object_is_centred_in_a_square() -> None:
    picture = np.zeros((20, 30, 4), np.uint8)
    picture[3:8, 10:21] = 200  # 5 x 11 pixels, of which the public code keeps 4 x 10
    out = resize_foreground(picture, 0.5)
    assert out.shape == (20, 20, 4)
    assert np.argwhere(out[..., 3]).min(axis=0).tolist() == [8, 5]
    assert np.argwhere(out[..., 3]).max(axis=0).tolist() == [11, 14]


def test_nothing_to_crop() -> None:
    with pytest.raises(InputImageError):
        resize_foreground(np.zeros((5, 5, 4), np.uint8), 0.85)
    with pytest.raises(ConfigError):
        resize_foreground(np.full((5, 5, 4), 255, np.uint8), 0.0)
