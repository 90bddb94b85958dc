"""Condition pictures as the full family's codec encodes them, kept on disk: the VAE's latent and CLIP's
embedding of each, found again by the picture itself (``geco data encode`` writes them).

    LATENTS/index.json               format, settings, the files; written last
    LATENTS/latents-000000.safetensors   picture (N, 16) uint8, latent (N, 4, h, w), embedding (N, E)
    LATENTS/grey.safetensors         latent (1, 4, h, w) that guidance pushes away from
    LATENTS/held_out/                the same of the shards' held-out part, where there is one

A picture's name is the hash of its 256 levels, so whatever shows it (training, the report, teacher pairs)
finds it, and a picture that was never encoded is an error, not another one's latent.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal, get_args

import torch
from safetensors import safe_open
from torch import Tensor

from geco.data.shards import HELD_OUT
from geco.errors import ConfigError
from geco.foreign import Fields, read_fields
from geco.model_files.part import read_part_card
from geco.public_weights.zero123plus_folder import FORMAT as MODEL_FORMAT
from geco.reading import regular_size, sha256_of

FORMAT = "geco-latents-1"
INDEX, GREY = "index.json", "grey.safetensors"
NAME_BYTES = 16  # of a picture's hash: no two of 10^9 pictures meet by chance
MOST = 1 << 40
REMEDY = "Encode the pictures again: geco data encode."

Number = Literal["float32", "float16"]


class Latents:
    """Random access to a finished folder, its held-out part included.

    Args:
        folder: of ``geco data encode``.
        model: the multi-view half that shall read them: encoded by another VAE or CLIP they are refused.

    Raises:
        ConfigError: no such folder, of another model, or damaged.
    """

    def __init__(self, folder: str | Path, model: Path) -> None:
        self.folder = Path(folder)
        self.shards: set[str] = set()
        self._rows: dict[bytes, tuple[Path, int]] = {}
        wanted = model_digest(model)
        for part in [self.folder, *([apart] if (apart := self.folder / HELD_OUT).exists() else [])]:
            index = read_index(part)
            settings = index.fields("settings")
            if settings.digest("model") != wanted:
                raise ConfigError(f"{part} holds latents of another model's encoders than {model}", REMEDY)
            self.shards.add(settings.digest("shards"))
            self._add(part, index)
        self.grey = _read(self.folder / GREY, "latent")

    def __len__(self) -> int:
        return len(self._rows)

    def check_shards(self, shards: Path) -> None:
        """Raise ConfigError unless ``shards`` are those whose pictures are here."""
        if shards_digest(shards) not in self.shards:
            raise ConfigError(
                f"{self.folder} holds latents of other shards than {shards}",
                f"Encode these: geco data encode {shards} --model MODEL -o LATENTS.",
            )

    def of(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Latents (B, 4, h, w) and embeddings (B, E) in float32 on the CPU, of pictures (B, 3, H, W) in
        [0, 1].
        """
        found = [self._one(name) for name in names_of(pictures)]
        latents, embeddings = (torch.stack(column).float() for column in zip(*found))
        return latents, embeddings

    def _one(self, name: bytes) -> tuple[Tensor, Tensor]:
        if name not in self._rows:
            raise ConfigError(
                f"{self.folder} has no latent of a picture that is asked for",
                f"Were its shards encoded? {REMEDY}",
            )
        path, row = self._rows[name]
        return _read(path, "latent", row), _read(path, "embedding", row)

    def _add(self, folder: Path, index: Fields) -> None:
        for at, item in enumerate(index.items("files")):
            entry = Fields(item, f"{index.where}: files[{at}]", ConfigError, REMEDY)
            path = folder / entry.file_name("name")
            if regular_size(path, ConfigError, REMEDY) != entry.integer("bytes", 0, MOST):
                raise ConfigError(f"{path} is not as long as {index.where} says", REMEDY)
            names = _read(path, "picture").numpy()
            for row in range(len(names)):
                self._rows[names[row].tobytes()] = (path, row)


def names_of(pictures: Tensor) -> list[bytes]:
    """The hash of each of (B, 3, H, W) pictures in [0, 1], by their 256 levels; wherever they lie."""
    levels = (pictures.detach().float() * 255).round().to(torch.uint8).cpu().numpy()
    return [hashlib.blake2b(each.tobytes(), digest_size=NAME_BYTES).digest() for each in levels]


def read_index(folder: Path) -> Fields:
    """``index.json`` of a finished folder.

    Raises:
        ConfigError: missing, or of another format.
    """
    path = folder / INDEX
    if not path.exists():
        make = "Make them with: geco data encode SHARDS --model MODEL -o LATENTS; the same command goes on."
        raise ConfigError(f"{folder} holds no finished latents (no {INDEX})", make)
    index = read_fields(path, ConfigError, REMEDY, MOST)
    if index.values.get("format") != FORMAT:
        raise ConfigError(f"{folder} does not have the format {FORMAT!r}", REMEDY)
    index.fields("settings").choice("numbers", get_args(Number))
    return index


def shards_digest(shards: Path) -> str:
    """Of the pictures: the index names every shard with its hash."""
    return sha256_of(shards / INDEX)


def model_digest(folder: Path) -> str:
    """Of all that decides what is stored: the weights of VAE and CLIP, and how a picture comes to them; by
    the card of the multi-view half in ``folder``.
    """
    card = read_part_card(folder, MODEL_FORMAT)
    files = card.fields("files")
    parts = [files.fields(f"{stem}.safetensors").digest("sha256") for stem in ("vae", "vision")]
    ways = [card.values[name] for name in ("for_vae", "for_vision", "background", "foreground_ratio")]
    return hashlib.sha256(repr((parts, ways)).encode()).hexdigest()


def _read(path: Path, name: str, row: int | None = None) -> Tensor:
    """One tensor of a file, or one row of it; opened anew, so that threads share nothing."""
    try:
        with safe_open(path, framework="pt") as file:
            part = file.get_slice(name)
            found: Tensor = part[:] if row is None else part[row]
            return found
    except Exception as error:
        why = (str(error) or type(error).__name__).splitlines()[0]
        raise ConfigError(f"{path} is damaged: {why}", REMEDY) from error
