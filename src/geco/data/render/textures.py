"""Textures of an object as one flat array of mip levels, for the compiled loops."""

from __future__ import annotations

import numpy as np

from geco.types import Bytes, Longs

MOST_LEVELS = 10


def mipmaps(textures: list[Bytes]) -> tuple[Bytes, Longs]:
    """All textures and their halvings in one flat array (T, 4), and a table (M, L, 3) of offset,
    width, height.
    """
    pictures = {id(texture): texture for texture in textures}  # materials may share a texture: stored once
    chains = {key: _halvings(texture) for key, texture in pictures.items()}
    most = max(len(chain) for chain in chains.values())
    rows, flat, offset = {}, [], 0
    for key, chain in chains.items():
        rows[key] = np.zeros((most, 3), np.int64)
        for level, picture in enumerate(chain):
            # a short chain repeats its last level
            rows[key][level:] = offset, picture.shape[1], picture.shape[0]
            flat.append(picture.reshape(-1, 4))
            offset += picture.shape[0] * picture.shape[1]
    return np.concatenate(flat), np.stack([rows[id(texture)] for texture in textures])


def _halvings(texture: Bytes) -> list[Bytes]:
    chain = [np.ascontiguousarray(texture)]
    while min(chain[-1].shape[:2]) >= 2 and len(chain) < MOST_LEVELS:
        last = chain[-1]
        even = last[: last.shape[0] // 2 * 2, : last.shape[1] // 2 * 2].astype(np.uint16)
        mean = (even[0::2, 0::2] + even[1::2, 0::2] + even[0::2, 1::2] + even[1::2, 1::2] + 2) // 4
        chain.append(mean.astype(np.uint8))
    return chain
