"""CLIP similarity of pictures: the cosine of CLIP's image embeddings (Radford et al. 2021, arXiv 2103.00020).

For an image-to-3D result: the mean over its rendered views of the cosine with the INPUT picture's embedding.
Default model ViT-L/14 at 224 px, the one of kiui's ``clip_sim`` script, which this field's papers use on
rendered meshes; numbers of different CLIPs cannot be compared, so a table must name the model. Weights come
from the hub or a folder; without them there is no number.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from PIL import Image
from torch import Tensor

from geco.errors import MissingExtraError, WeightsError
from geco.foreign import read_fields
from geco.images.color import to_bytes
from geco.model_files.folder import read_safetensors
from geco.model_files.hub import fetch, is_hub_id
from geco.multiview.zero123plus.preprocess import CLIP_MEAN, CLIP_STD
from geco.types import Doubles, Floats

CLIP_HUB_ID = "openai/clip-vit-large-patch14"
IMAGE_TOWER = ("vision_model.", "visual_projection.")  # keys of its weights in a whole CLIP
MOST_WIDTH = 65_536
CLIP_LICENCE = "MIT (code and weights of openai/CLIP; the model card advises research use)"


class ClipImages:
    """CLIP's image tower.

    Args:
        source: a folder in transformers' format (config.json and model.safetensors of a whole CLIP or of its
            vision part), or a hub id.
        device: where it runs.

    Raises:
        MissingExtraError: transformers is not installed.
        WeightsError: the folder has no such model, or the hub's is neither cached nor reachable.
    """

    def __init__(
        self, source: str | os.PathLike[str] = CLIP_HUB_ID, device: torch.device | str = "cpu"
    ) -> None:
        self.source = str(source)
        self.device = torch.device(device)
        self.model = _load(self.source).to(self.device).eval().requires_grad_(False)
        self.size = int(self.model.config.image_size)

    @torch.no_grad()
    def embed(self, pictures: ArrayLike, batch: int = 8) -> Floats:
        """Embeddings of unit length.

        Args:
            pictures: (..., H, W, 3) in [0, 1] on white.

        Returns:
            (..., D) float32.
        """
        images = np.asarray(pictures, np.float32)
        if images.ndim < 3 or images.shape[-1] != 3:
            raise ValueError(f"CLIP takes pictures (..., H, W, 3), not shape {images.shape}")
        flat = images.reshape(-1, *images.shape[-3:])
        pieces = [
            self.model(preprocess(flat[i : i + batch], self.size).to(self.device)).image_embeds
            for i in range(0, len(flat), batch)
        ]
        vectors = torch.cat(pieces).float()
        return (vectors / vectors.norm(dim=-1, keepdim=True)).cpu().numpy().reshape(*images.shape[:-3], -1)

    def similarity(self, a: ArrayLike, b: ArrayLike) -> Doubles:
        """Cosine similarity in [-1, 1] of pictures (..., H, W, 3); leading dimensions and sizes
        broadcast; 1 for equal pictures.
        """
        return np.sum(self.embed(a).astype(np.float64) * self.embed(b), axis=-1)


def preprocess(pictures: Floats, size: int) -> Tensor:
    """CLIP's own preparation: 8-bit, shorter side to ``size`` with Pillow's bicubic, centre crop, normalised.

    Args:
        pictures: (N, H, W, 3) in [0, 1].

    Returns:
        (N, 3, size, size) float32.
    """
    levels = to_bytes(pictures)
    height, width = pictures.shape[1:3]
    shorter = min(height, width)
    scaled = (max(size, size * width // shorter), max(size, size * height // shorter))
    left, top = (scaled[0] - size) // 2, (scaled[1] - size) // 2
    box = (left, top, left + size, top + size)
    resized = [
        np.asarray(Image.fromarray(picture).resize(scaled, Image.Resampling.BICUBIC).crop(box))
        for picture in levels
    ]
    values = (np.stack(resized).astype(np.float32) / 255 - np.array(CLIP_MEAN, np.float32)) / np.array(
        CLIP_STD, np.float32
    )
    return torch.from_numpy(np.ascontiguousarray(values.transpose(0, 3, 1, 2)))


def _load(source: str) -> Any:
    try:
        from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection
    except ImportError as error:
        raise MissingExtraError("transformers", "torch", "CLIP similarity") from error
    from geco.public_weights.library_models import check_library_config, part

    folder = Path(source)
    if is_hub_id(source):
        folder = fetch(source, ["config.json", "model.safetensors"], CLIP_LICENCE).folder
    remedy = (
        f"Give a folder with its config.json and model.safetensors: hf download {CLIP_HUB_ID} "
        f"--local-dir DIR."
    )
    for name in ("config.json", "model.safetensors"):
        if not os.path.lexists(folder / name):
            raise WeightsError(f"{source} has no {name}, so it is no CLIP", remedy)
    whole = read_fields(folder / "config.json", WeightsError, remedy)
    config = whole.fields("vision_config") if "vision_config" in whole else whole
    values = dict(check_library_config(config).values)
    values.pop("_name_or_path", None)
    if "projection_dim" in whole:
        values["projection_dim"] = whole.integer("projection_dim", 1, MOST_WIDTH)
    weights = folder / "model.safetensors"
    state = {key: value for key, value in read_safetensors(weights).items() if key.startswith(IMAGE_TOWER)}
    if not state:
        raise WeightsError(f"{weights} lacks CLIP's image tower", remedy)
    # Half precision on the hub or not: compared numbers are computed in float32.
    full = {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
    return part(lambda: CLIPVisionModelWithProjection(CLIPVisionConfig(**values)), full, weights, config)
