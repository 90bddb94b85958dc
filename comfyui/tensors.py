"""ComfyUI's pictures, masks and meshes (torch tensors) and GECO's arrays (numpy), in both directions.

An IMAGE is (B, H, W, C) float32 in [0, 1], a MASK (B, H, W) float32 that is 1 where LoadImage found nothing.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import torch
from PIL import Image

from geco.errors import InputImageError

HIDES, SHOWS = "hides (as LoadImage's)", "shows the object"


def pictures(image: torch.Tensor, mask: torch.Tensor | None, mask_means: str) -> list[np.ndarray]:
    """(B, H, W, 3 or 4) and perhaps (1 or B, h, w) -> B arrays (H, W, 3 or 4).

    Raises:
        InputImageError: another number of masks than of pictures, or a mask without an object.
    """
    colours = [np.asarray(each, np.float32) for each in image.detach().cpu().numpy()]
    if mask is None:
        return colours
    alphas = mask.detach().cpu().numpy().reshape(-1, *mask.shape[-2:]).astype(np.float32)
    if len(alphas) not in (1, len(colours)):
        raise InputImageError(
            f"{len(alphas)} masks came with {len(colours)} pictures", "Give one for all, or one for each."
        )
    if mask_means == HIDES:
        alphas = 1 - alphas
    return [_with_alpha(colour, alphas[number % len(alphas)]) for number, colour in enumerate(colours)]


def _with_alpha(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """A mask that hides nothing, as LoadImage gives of a picture without alpha, is no mask."""
    if alpha.min() >= 1:
        return colour
    if alpha.max() <= 0:
        raise InputImageError("the mask shows nothing of the picture", "Does it mean the opposite?")
    if alpha.shape != colour.shape[:2]:
        size = (colour.shape[1], colour.shape[0])
        alpha = np.asarray(Image.fromarray(alpha).resize(size, Image.Resampling.BILINEAR))
    return np.concatenate([colour[..., :3], alpha.clip(0, 1)[..., None]], axis=-1)


def image(arrays: list[np.ndarray]) -> torch.Tensor:
    """Arrays (H, W, 3) of one size -> IMAGE."""
    return torch.from_numpy(np.stack(arrays).astype(np.float32))


def cutouts(squares: list[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    """Cut-out pictures (S, S, 4), straight alpha -> IMAGE over white, and MASK."""
    all_of = np.stack(squares).astype(np.float32)
    alpha = all_of[..., 3:]
    return torch.from_numpy(all_of[..., :3] * alpha + 1 - alpha), torch.from_numpy(1 - alpha[..., 0])


def sheet(views: np.ndarray) -> Image.Image:
    """Views (N, S, S, 3) -> one picture, three in a row, for the preview on a node."""
    count, side = views.shape[:2]
    across = min(count, 3)
    page = np.ones((-(-count // across) * side, across * side, 3), np.float32)
    for number, view in enumerate(views):
        top, left = number // across * side, number % across * side
        page[top : top + side, left : left + side] = view
    return Image.fromarray((page.clip(0, 1) * 255 + 0.5).astype(np.uint8))


def mesh(made: Any, kind: type) -> Any:
    """A mesh of GECO -> a batch of one of ComfyUI's MESH, y up and the seen side facing +z, as in a GLB.

    Args:
        made: :class:`geco.mesh.Mesh`, z up and the seen side facing +x.
        kind: ComfyUI's class; it gets UVs, texture, colours and normals where it has a place for them.
    """
    parts = {
        "vertices": made.vertices[:, [1, 2, 0]].astype(np.float32),
        "faces": made.faces.astype(np.int64),
        "uvs": made.uvs,
        "texture": None if made.texture is None else made.texture[..., :3].astype(np.float32) / 255,
        "colors": made.colors,
        "vertex_colors": made.colors,
        "normals": None if made.normals is None else made.normals[:, [1, 2, 0]],
    }
    places = inspect.signature(kind).parameters
    tensors = {
        name: torch.from_numpy(np.ascontiguousarray(part))[None]
        for name, part in parts.items()
        if part is not None and name in places
    }
    return kind(**tensors)
