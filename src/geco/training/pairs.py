"""The teacher's pseudo ground truth, as it is kept and read back: for a picture and a noise z, its views,
their reconstruction, and renders of that (:mod:`geco.training.pair_maker` makes it, in
folders as :mod:`geco.training.pair_folder` has them).

GECO, section 3.2: z goes through 75 steps of deterministic DDIM to six views, the frozen reconstructor makes
a mesh of them, and 50 renders of the mesh at random viewpoints are kept, keyed by (picture, z). No 3D data is
needed. The pairs (z, views) also serve as the regression warm-up of Stage I.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from geco.arrays import open_array
from geco.checked import Checked, amount, count, flag, inner, whole
from geco.errors import ConfigError
from geco.foreign import read_fields
from geco.multiview.noise import SeededNoise
from geco.noise import seed_of, stream
from geco.sampling import TIMESTEPS
from geco.training.augment import Jitter
from geco.training.pair_files import REMEDY, X0, Pair, decode_views
from geco.training.pair_folder import (
    ABOUT,
    CHUNKS,
    GENERATED,
    Chunk,
    chunk_names,
    pair_name,
    read_chunks,
)

FORMAT = "geco-pairs-4"
# Whose views are the truth.
TEACHER = "the teacher's samples"
REFINED = "the generator's samples, refined"
TRUE_VIEWS = "true views"
RENDERS = 50  # viewpoints a pair (GECO, section 4.1)
CHECKED = 8  # validation pairs at most, and a quarter of them
STEPS = 75  # of the teacher (GECO, section 4.1)
MAY_DIFFER = ("seed", "data", "chunk")  # between folders that are read as one


@dataclass(frozen=True)
class PairOptions(Checked):
    """How pairs are made.

    Attributes:
        steps, guidance_scale: of the teacher's deterministic DDIM (75 and 4 in the paper).
        clip: bound on the predicted |x0|; None for latents.
        renders: viewpoints a pair.
        chunk: pairs that are sampled as one batch, and are one piece of work.
        seed: of noise and viewpoints.
        refine_from: with a generator, the timestep that its samples are noised to and that the teacher goes
            on from.
        size: pixels of the renders.
        geometry: keep their normals and depth too, which Stage II's terms of these names need; about twice
            the bytes.
        jitter: of the small family's colours and condition pictures; the full family's are not augmented.
    """

    steps: int = whole(STEPS, 1, TIMESTEPS)
    guidance_scale: float = amount(4.0)
    clip: float | None = amount(None)
    renders: int = count(RENDERS)
    chunk: int = count(8)
    seed: int = whole(0, 0, 2**63 - 1)
    refine_from: int = whole(500, 0, TIMESTEPS - 1)
    size: int = whole(64, 8, 4096)
    geometry: bool = flag(False)
    jitter: Jitter = inner(Jitter)


def noise_of(seed: int, numbers: Sequence[int]) -> SeededNoise:
    """The source of these pairs' z, one stream a pair; z itself is never stored."""
    return SeededNoise([seed_of(seed, "pairs", int(number)) for number in numbers], "z")


class Pairs:
    """Random access to pairs written by :func:`geco.training.pair_work.make_pairs`.

    Args:
        folders: one folder, or several of the same settings (:data:`MAY_DIFFER` apart) as one. A pair that is
            in two of them counts once.

    Attributes:
        settings: of the first folder.
        keys: name of each pair's picture.
        numbers: (P,) each pair's number, from which with its folder's seed its z follows.
        duplicates: pairs that were left out, since another folder has them.

    Raises:
        ConfigError: no pairs, pairs of an older version or of other settings, or a folder that is damaged.
    """

    def __init__(self, folders: str | Path | Sequence[str | Path]) -> None:
        given = [folders] if isinstance(folders, (str, Path)) else folders
        self.folders = [Path(folder) for folder in given]
        found = [_settings(folder) for folder in self.folders]
        for folder, settings in zip(self.folders, found):
            _agree(self.folders[0], found[0], folder, settings)
        self.settings: dict[str, Any] = found[0]
        self._rows: list[tuple[Path, str, int]] = []
        self._seeds: list[int] = []
        self.keys: list[str] = []
        seen: set[tuple[int, str, int]] = set()
        total = 0
        for folder, settings in zip(self.folders, found):
            for chunk in read_chunks(folder).values():
                total += len(chunk.numbers)
                self._add(folder, settings, chunk, seen)
        if not total and not any(chunk_names(folder) for folder in self.folders):
            raise ConfigError(f"no pairs in {self.where}", "Make some with: geco distill pairs.")
        self.duplicates = total - len(self._rows)
        self.numbers = np.array([number for _, _, number in self._rows], np.int64)

    def _add(
        self, folder: Path, settings: dict[str, Any], chunk: Chunk, seen: set[tuple[int, str, int]]
    ) -> None:
        seed, data = int(settings["seed"]), str(settings.get("data"))
        for number, key in zip(chunk.numbers, chunk.keys):
            if (seed, data, number) not in seen:
                seen.add((seed, data, number))
                self._rows.append((folder, chunk.name, number))
                self._seeds.append(seed)
                self.keys.append(key)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Pair:
        """picture (3, S, S), views (6, 3, H, W), rgb (N, R, R, 3), mask (N, R, R), all uint8; x0
        float16; poses (N, 4, 4). Each is read when it is asked for.
        """
        folder, chunk, number = self._rows[index]
        s = self.settings
        place = folder / CHUNKS / chunk / pair_name(number)
        return Pair(place, int(s["renders"]), int(s["size"]), bool(s["geometry"]))

    def generated(self, index: int, generator: str) -> NDArray[np.uint8]:
        """(6, 3, H, W): the stored views of one pair by a generator that :meth:`has_generated` knows."""
        folder, chunk, number = self._rows[index]
        return decode_views(folder / GENERATED / generator / chunk / f"{pair_name(number)}.webp")

    def has_generated(self, generator: str) -> bool:
        """Whether the views of this generator are stored with every pair."""
        there = {folder: set(chunk_names(folder / GENERATED / generator, "")) for folder in self.folders}
        return bool(self._rows) and all(chunk in there[folder] for folder, chunk, _ in self._rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample, in the codec's space; there must be a pair."""
        return tuple(self._x0(0).shape)

    @property
    def facts(self) -> dict[str, Any]:
        """For the model's card: how many pairs, and whose views are the truth."""
        facts = {"count": len(self), "truth": self.settings["truth"]}
        return facts | ({"duplicates": self.duplicates} if self.duplicates else {})

    def split(self) -> tuple[list[int], list[int]]:
        """Rows to train on, and the last few for validation, never trained on."""
        rows = list(range(len(self)))
        checked = min(CHECKED, len(rows) // 4)
        return (rows[:-checked], rows[-checked:]) if checked else (rows, [])

    def source(self, index: int) -> SeededNoise:
        """The noise of one pair: z first, then what a generator of few steps takes."""
        return noise_of(self._seeds[index], [self.numbers[index]])

    def noise(self, index: int, shape: tuple[int, ...]) -> Tensor:
        """z (1, *shape) of one pair."""
        return self.source(index)((1, *shape))

    def pairs(
        self, index: int, size: int, shape: tuple[int, ...], seed: int = 0
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Micro-batch ``index`` for the regression warm-up: pictures in [0, 1], z, and the teacher's x0."""
        rows = stream(seed, "teacher pairs", index).integers(len(self), size=size)
        pictures = [self[int(row)]["picture"] for row in rows]
        if len({picture.shape for picture in pictures}) > 1:
            raise ConfigError(f"the pictures of the pairs in {self.where} differ in size", REMEDY)
        picture = torch.from_numpy(np.stack(pictures)).float() / 255
        x0 = torch.from_numpy(np.stack([self._x0(int(row), shape) for row in rows])).float()
        return picture, torch.cat([self.noise(int(row), shape) for row in rows]), x0

    def _x0(self, index: int, shape: tuple[int, ...] | None = None) -> NDArray[np.float16]:
        path = self[index].folder / X0
        return np.array(open_array(path, shape, np.float16, ConfigError, REMEDY))

    @property
    def where(self) -> str:
        """The folders, for messages."""
        return " and ".join(map(str, self.folders))


def pairs_digest(folders: Sequence[Path]) -> str:
    """What folders of pairs hold, in 12 digits: their settings and chunks, which those decide."""
    digest = hashlib.sha256()
    for folder in folders:
        about = folder / ABOUT
        digest.update(about.read_bytes() if about.is_file() else b"-")
        digest.update("\n".join(chunk_names(folder)).encode())
    return digest.hexdigest()[:12]


def _settings(folder: Path) -> dict[str, Any]:
    """What decides a folder's pairs; raises ConfigError."""
    if not (folder / ABOUT).exists():
        older = any(folder.glob("pairs-*.npz"))
        problem = f"the pairs in {folder} were made by an older version" if older else f"no pairs in {folder}"
        raise ConfigError(problem, "Make some with: geco distill pairs.")
    settings = read_fields(folder / ABOUT, ConfigError, "Make the pairs again.").fields("settings")
    if settings.text("format") != FORMAT:
        raise ConfigError(
            f"the pairs in {folder} were made by an older version", "Make them again: geco distill pairs."
        )
    settings.integer("seed", 0, 2**63)
    settings.text("truth")
    settings.integer("renders", 1, 1 << 20)
    settings.integer("size", 8, 4096)
    settings.flag("geometry")
    return settings.values


def _agree(first: Path, wanted: dict[str, Any], folder: Path, found: dict[str, Any]) -> None:
    """Raise ConfigError where two folders cannot be one."""
    names = sorted((wanted.keys() | found.keys()) - set(MAY_DIFFER))
    if other := [name for name in names if wanted.get(name) != found.get(name)]:
        name = other[0]
        raise ConfigError(
            f"the pairs in {first} and in {folder} are of other settings: {name} {wanted.get(name)} and "
            f"{found.get(name)}",
            f"Give folders that were made alike; only {', '.join(MAY_DIFFER)} may differ.",
        )
