"""Condition pictures of rendered shards through the full family's encoders, as a worker does it: what
:mod:`geco.training.latents` reads.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from geco.device import choose
from geco.errors import ConfigError
from geco.files import atomic_path
from geco.model_files.card import MULTIVIEW, read_model_card
from geco.model_files.folder import save_tensors
from geco.model_files.part import read_part_card
from geco.multiview.interface import Condition
from geco.multiview.zero123plus.codec import Zero123PlusCodec
from geco.multiview.zero123plus.preprocess import Preprocess
from geco.public_weights.library_models import MOST_WIDTH
from geco.public_weights.zero123plus_folder import CLIP_WIDTH, load_codec
from geco.public_weights.zero123plus_folder import FORMAT as MODEL_FORMAT
from geco.training.full_family import PICTURE_SIZE, FullConditions
from geco.training.latents import (
    GREY,
    NAME_BYTES,
    Number,
    model_digest,
    names_of,
    shards_digest,
)

FILE_PICTURES = 256  # of one file: 18 MB in float32, minutes of a CPU, seconds of a GPU


@dataclass(frozen=True)
class Encoding:
    """What is encoded, by what, and how it is kept.

    Attributes:
        shards: finished. model: a full model's folder.
        numbers: "float32", as the encoders give them; "float16" halves the folder.
        file_pictures: of a file.
    """

    shards: Path
    model: Path
    numbers: Number = "float32"
    file_pictures: int = FILE_PICTURES

    def settings(self) -> dict[str, Any]:
        """What decides the folder's content."""
        return {
            "shards": shards_digest(self.shards),
            "model": model_digest(self.model / MULTIVIEW),
            "numbers": self.numbers,
            "file_pictures": self.file_pictures,
            "pictures": len(self.source().data),
        }

    def source(self) -> FullConditions:
        """The pictures, prepared as training prepares them."""
        card = read_part_card(self.model / MULTIVIEW, MODEL_FORMAT)
        ratio, background = (card.number(name, 0, 1) for name in ("foreground_ratio", "background"))
        return FullConditions(self.shards, ratio, background)

    def files(self) -> dict[str, range]:
        """File name -> the pictures in it."""
        count, each = len(self.source().data), self.file_pictures
        return {GREY: range(0)} | {
            f"latents-{number:06d}.safetensors": range(start, min(start + each, count))
            for number, start in enumerate(range(0, count, each))
        }


@dataclass(frozen=True)
class Job:
    """One file: of these pictures, or without any of the latent that guidance pushes away from."""

    encoding: Encoding
    path: Path
    pictures: range


class Encoder:
    """What every worker does, on whichever machine: the encoders are loaded once, in float32 as Stage I runs
    them.

    Args:
        model: a full model's folder.
        device: "cpu", "cuda"; None for what is there. On a CPU it works with one thread, since with others
            the last bits are others.
    """

    def __init__(self, model: Path, device: str | None = "cpu") -> None:
        self.model, self.device = model, device
        self._codec: Zero123PlusCodec | None = None
        self._sources: dict[Encoding, FullConditions] = {}

    def prepare(self) -> None:
        """Load."""
        torch.set_num_threads(1)
        place = choose(self.device).device
        if place.type == "cuda":  # as a training computes there
            torch.set_float32_matmul_precision("high")
        self._codec = load_codec(self.model / MULTIVIEW, place)
        self._codec.singly = True

    def __call__(self, job: Job) -> None:
        if not job.pictures:
            _write(job.path, self.grey(), job.encoding.numbers)
            return
        if job.encoding not in self._sources:
            self._sources[job.encoding] = job.encoding.source()
        source = self._sources[job.encoding]
        rows = [self.encoded(source.number(place)) for place in job.pictures]
        joined = {name: torch.cat([row[name] for row in rows]) for name in rows[0]}
        _write(job.path, joined, job.encoding.numbers)

    def encoded(self, picture: Tensor) -> dict[str, Tensor]:
        """A file's row: name, latent and embedding of a picture (3, H, W) in [0, 1]."""
        codec, batch = self._ready(), picture[None]
        latent, embedding = codec.encoded(*(way(batch).to(codec.device) for way in codec.ways))
        name = torch.frombuffer(bytearray(names_of(batch)[0]), dtype=torch.uint8)
        return {"picture": name[None], "latent": latent.cpu(), "embedding": embedding.cpu()}

    def grey(self) -> dict[str, Tensor]:
        """The latent (1, 4, h, w) that guidance pushes away from."""
        codec = self._ready()
        like = torch.zeros(1, *shapes(self.model)["latent"], device=codec.device)
        found = codec.unconditional(Condition(like)).picture
        assert found is not None
        return {"latent": found.cpu()}

    def _ready(self) -> Zero123PlusCodec:
        if self._codec is None:
            self.prepare()
        assert self._codec is not None
        return self._codec


def shapes(model: Path) -> dict[str, tuple[int, ...]]:
    """Of one picture's latent and embedding, by the model's card.

    Raises:
        ConfigError: a model of another family, which encodes nothing.
    """
    if (family := read_model_card(model)["family"]) != "full":
        raise ConfigError(
            f"{model} is a model of the family {family!r}, whose networks read pixels",
            "Leave the encoding out: it is for the full family.",
        )
    card = read_part_card(model / MULTIVIEW, MODEL_FORMAT)
    vae, vision = card.fields("vae"), card.fields("vision")
    reduction = 2 ** (len(vae.items("block_out_channels", 16)) - 1)
    seen = Preprocess.from_fields(card.fields("for_vae"))(torch.zeros(1, 3, PICTURE_SIZE, PICTURE_SIZE))
    channels = vae.integer("latent_channels", 1, 1024)
    return {
        "latent": (channels, seen.shape[-2] // reduction, seen.shape[-1] // reduction),
        "embedding": (vision.integer("projection_dim", 1, MOST_WIDTH, CLIP_WIDTH),),
    }


def picture_bytes(encoding: Encoding) -> int:
    """That one picture takes on disk."""
    each = 2 if encoding.numbers == "float16" else 4
    return NAME_BYTES + each * sum(math.prod(shape) for shape in shapes(encoding.model).values())


def _write(path: Path, tensors: Mapping[str, Tensor], numbers: Number) -> None:
    kept = {
        name: value.to(getattr(torch, numbers)) if value.is_floating_point() else value
        for name, value in tensors.items()
    }
    with atomic_path(path) as temporary:
        save_tensors(kept, temporary)
