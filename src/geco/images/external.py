"""Cutting out by what else is installed: rembg (a network) and OpenCV's GrabCut."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image

from geco.errors import MissingExtraError, WeightsError
from geco.images.color import to_bytes
from geco.types import Bools, Bytes, Floats

GRABCUT_SIDE = 192  # pixels: five rounds take about 0.1 s there and 0.6 s at 512
GRABCUT_ROUNDS = 4


@lru_cache(maxsize=1)
def _rembg() -> tuple[Any, Any] | str:
    """rembg's ``remove`` and a session, or why there is none; asked once, since a failed download
    takes long.
    """
    from rembg import new_session, remove

    try:
        return remove, new_session()
    except (OSError, ValueError, RuntimeError) as error:
        return f"rembg's weights cannot be fetched or opened: {error}"


def cut_by_rembg(rgb: Floats) -> Floats:
    """(H, W, 3) float32 -> (H, W) float32 alpha from rembg's default network; its weights are fetched at
    first use.

    Raises:
        MissingExtraError: rembg is not installed.
        WeightsError: its weights are not there and cannot be fetched.
    """
    try:
        found = _rembg()
    except ImportError:
        raise MissingExtraError("rembg", "matting", "matting by rembg") from None
    if isinstance(found, str):
        raise WeightsError(found, "Put its .onnx file into ~/.u2net, or choose another matting.")
    remove, session = found
    picture = Image.fromarray(to_bytes(rgb))
    mask = remove(picture, session=session, only_mask=True)
    return np.asarray(mask.convert("L"), np.float32) / np.float32(255)


def cut_by_grabcut(image8: Bytes) -> Bools:
    """(H, W, 3) uint8 -> (h, w) bool at a working size of 192 pixels, by GrabCut from a rectangle inside the
    frame.

    Raises:
        MissingExtraError: OpenCV is not installed.
    """
    try:
        import cv2
    except ImportError:
        raise MissingExtraError("opencv-python-headless", "matting", "matting by GrabCut") from None
    picture = Image.fromarray(image8)
    picture.thumbnail((GRABCUT_SIDE, GRABCUT_SIDE))
    small = np.asarray(picture)
    height, width = small.shape[:2]
    margin = max(2, min(height, width) // 25)
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    labels = np.where(x * x + y * y < 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[:margin] = labels[-margin:] = cv2.GC_BGD
    labels[:, :margin] = labels[:, -margin:] = cv2.GC_BGD
    models = np.zeros((2, 1, 65))
    cv2.setRNGSeed(0)
    bgr, unused = np.ascontiguousarray(small[..., ::-1]), (0, 0, width, height)
    cv2.grabCut(bgr, labels, unused, models[0], models[1], GRABCUT_ROUNDS, cv2.GC_INIT_WITH_MASK)
    return (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
