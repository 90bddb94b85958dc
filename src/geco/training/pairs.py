"""The teacher's pseudo ground truth, as it is kept and read back: for a picture and a noise z, its views,
their reconstruction, and renders of that (:mod:`geco.training.pair_maker` makes it).

GECO, section 3.2: z goes through 75 steps of deterministic DDIM to six views, the frozen reconstructor makes
a mesh of them, and 50 renders of the mesh at random viewpoints are kept, keyed by (picture, z). No 3D data is
needed. The pairs (z, views) also serve as the regression warm-up of Stage I.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from geco.arrays import read_archive
from geco.checked import Checked, amount, count, inner, whole
from geco.errors import ConfigError
from geco.foreign import read_fields
from geco.multiview.noise import SeededNoise
from geco.noise import seed_of, stream
from geco.sampling import TIMESTEPS
from geco.training.augment import Jitter

FORMAT = "geco-pairs-3"
# Whose views are the truth.
TEACHER = "the teacher's samples"
# Axes of a file's arrays, the pairs first.
DIMENSIONS = {"number": 1, "key": 1, "picture": 4, "views": 5, "rgb": 5, "mask": 4, "poses": 4}
REFINED = "the generator's samples, refined"
TRUE_VIEWS = "true views"
RENDERS = 50  # viewpoints a pair (GECO, section 4.1)
CACHED_CHUNKS = 128  # chunks kept in memory: 7 MB each at 64 pixels
CACHED_SAMPLES = 256  # chunks of which pictures and x0 are kept: 1.3 MB each at 64 pixels
CHECKED = 8  # validation pairs at most, and a quarter of them
STEPS = 75  # of the teacher (GECO, section 4.1)


@dataclass(frozen=True)
class PairOptions(Checked):
    """How pairs are made.

    Attributes:
        steps, guidance_scale: of the teacher's deterministic DDIM (75 and 4 in the paper).
        clip: bound on the predicted |x0|; None for latents.
        renders: viewpoints a pair.
        chunk: pairs a file, sampled as one batch.
        seed: of noise and viewpoints.
        refine_from: with a generator, the timestep that its samples are noised to and that the teacher goes
            on from.
        size: pixels of the renders.
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
    jitter: Jitter = inner(Jitter)


def noise_of(seed: int, numbers: Sequence[int]) -> SeededNoise:
    """The source of these pairs' z, one stream a pair; z itself is never stored."""
    return SeededNoise([seed_of(seed, "pairs", int(number)) for number in numbers], "z")


def chunk_path(folder: Path, index: int) -> Path:
    return folder / f"pairs-{index:06d}.npz"


class Pairs:
    """Random access to pairs written by :func:`geco.training.pair_maker.make_pairs`.

    Attributes:
        keys: name of each pair's picture.
        numbers: (P,) each pair's number, from which its z follows.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        files = sorted(self.folder.glob("pairs-*.npz"))
        if not files:
            raise ConfigError(f"no pairs in {folder}", "Make some with: geco distill pairs.")
        settings = read_fields(self.folder / "pairs.json", ConfigError, "Make the pairs again.").fields(
            "settings"
        )
        if settings.text("format") != FORMAT:
            raise ConfigError(
                f"the pairs in {folder} were made by an older version", "Make them again: geco distill pairs."
            )
        settings.integer("seed", 0, 2**63)
        settings.text("truth")
        self.settings: dict[str, Any] = settings.values
        self._chunk = functools.lru_cache(maxsize=CACHED_CHUNKS)(_read)
        # Apart from the chunks: Stage I needs no renders, which are nearly all of a chunk.
        self._samples = functools.lru_cache(maxsize=CACHED_SAMPLES)(
            functools.partial(_read, names=("picture", "x0"))
        )
        heads = [_read(path, ("number", "key")) for path in files]
        self._rows = [(path, row) for path, head in zip(files, heads) for row in range(len(head["number"]))]
        self.numbers = np.concatenate([head["number"] for head in heads])
        if self.numbers.ndim != 1 or self.numbers.dtype.kind not in "iu" or (self.numbers < 0).any():
            raise ConfigError(
                f"the pairs in {folder} have no numbers", "Make them again: geco distill pairs."
            )
        self.keys = [str(key) for head in heads for key in head["key"]]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> dict[str, NDArray[Any]]:
        """picture (3, S, S), views (6, 3, H, W), rgb (N, H, W, 3), mask (N, H, W), all uint8; x0
        float16; poses (N, 4, 4).
        """
        path, row = self._rows[index]
        return {name: values[row] for name, values in self._chunk(path).items()}

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample, in the codec's space; there must be a pair."""
        path, _ = self._rows[0]
        return tuple(self._samples(path)["x0"].shape[1:])

    @property
    def facts(self) -> dict[str, Any]:
        """For the model's card: how many pairs, and whose views are the truth."""
        return {"count": len(self), "truth": self.settings["truth"]}

    def split(self) -> tuple[list[int], list[int]]:
        """Rows to train on, and the last few for validation, never trained on."""
        rows = list(range(len(self)))
        checked = min(CHECKED, len(rows) // 4)
        return (rows[:-checked], rows[-checked:]) if checked else (rows, [])

    def noise(self, index: int, shape: tuple[int, ...]) -> Tensor:
        """z (1, *shape) of one pair."""
        return noise_of(int(self.settings["seed"]), [self.numbers[index]])((1, *shape))

    def pairs(
        self, index: int, size: int, shape: tuple[int, ...], seed: int = 0
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Micro-batch ``index`` for the regression warm-up: pictures in [0, 1], z, and the teacher's x0."""
        rows = stream(seed, "teacher pairs", index).integers(len(self), size=size)
        items = [
            {name: values[row] for name, values in self._samples(path).items()}
            for path, row in (self._rows[r] for r in rows)
        ]
        picture = torch.from_numpy(np.stack([item["picture"] for item in items])).float() / 255
        x0 = torch.from_numpy(np.stack([item["x0"] for item in items])).float()
        return picture, torch.cat([self.noise(int(row), shape) for row in rows]), x0


def _read(path: Path, names: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
    """The arrays of one file, all of as many pairs as it holds."""
    remedy = "Delete the file and make the pairs again."
    found = read_archive(path, names, ConfigError, remedy)
    wrong = [name for name, values in found.items() if values.ndim != DIMENSIONS.get(name, values.ndim)]
    if wrong or len({len(values) for values in found.values() if values.ndim}) > 1:
        raise ConfigError(f"{path} holds {wrong or list(found)} of another shape than pairs have", remedy)
    return found
