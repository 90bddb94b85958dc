"""The teacher's pseudo ground truth: for a picture and a noise z, its views, their reconstruction, and
renders of that.

GECO, section 3.2: z goes through 75 steps of deterministic DDIM to six views, the frozen reconstructor makes
a mesh of them, and 50 renders of the mesh at random viewpoints are kept, keyed by (picture, z). No 3D data is
needed. The pairs (z, views) also serve as the regression warm-up of Stage I.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from geco.arrays import read_archive
from geco.cameras import INPUT_FOV, random_poses
from geco.device import autocast_bf16
from geco.errors import ConfigError, MeshError
from geco.files import atomic_write
from geco.foreign import read_fields
from geco.multiview.interface import MultiViewNetwork, ViewCodec
from geco.multiview.noise import SeededNoise
from geco.multiview.one_step import OneStepGenerator
from geco.multiview.sampling import sample
from geco.multiview.steps import Sampler
from geco.types import Bytes

FORMAT = "geco-pairs-2"
# Whose views are the truth.
TEACHER = "the teacher's samples"
# Axes of a file's arrays, the pairs first.
DIMENSIONS = {"number": 1, "key": 1, "picture": 4, "views": 5, "rgb": 5, "mask": 4, "poses": 4}
REFINED = "the generator's samples, refined"
TRUE_VIEWS = "true views"
RENDERS = 50  # viewpoints a pair (GECO, section 4.1)
CACHED_CHUNKS = 128  # chunks kept in memory: 7 MB each at 64 pixels
CACHED_SAMPLES = 256  # chunks of which pictures and x0 are kept: 1.3 MB each at 64 pixels
STEPS = 75  # of the teacher (GECO, section 4.1)

# six views (6, 3, H, W) and condition picture (3, S, S) in [0, 1], poses (N, 4, 4) -> RGB (N, H, W, 3) and
# mask (N, H, W)
Render = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class PairOptions:
    """How pairs are made.

    Attributes:
        steps, guidance_scale: of the teacher's deterministic DDIM (75 and 4 in the paper).
        clip: bound on the predicted |x0|; None for latents.
        renders: viewpoints a pair.
        chunk: pairs a file, sampled as one batch.
        seed: of noise and viewpoints.
        refine_from: with a generator, the timestep that its samples are noised to and that the teacher goes
            on from.
    """

    steps: int = STEPS
    guidance_scale: float = 4.0
    clip: float | None = None
    renders: int = RENDERS
    chunk: int = 8
    seed: int = 0
    refine_from: int = 500


def noise_of(seed: int, index: int) -> SeededNoise:
    """The source of pair ``index``'s z; z itself is never stored."""
    return SeededNoise([seed * 1_000_003 + index])


@torch.no_grad()
def make_pairs(
    teacher: MultiViewNetwork,
    codec: ViewCodec,
    pictures: Callable[[int], tuple[str, Tensor]],
    count: int,
    render: Render,
    folder: Path,
    options: PairOptions,
    generator: OneStepGenerator | None = None,
    mixed: bool = False,
    truth: Callable[[int], Tensor] | None = None,
) -> dict[str, int]:
    """Write pairs 0 .. count - 1 in files of ``options.chunk``; files that are there are kept, so a killed
    run continues.

    Args:
        teacher, codec: in evaluation mode.
        pictures: pair's number -> a key that names the picture, and the picture (3, H, W) in [0, 1].
        render: reconstruction and renders; a MeshError of it leaves the pair out.
        folder: gets ``pairs-000000.npz`` ... and ``pairs.json``.
        generator: the truth is then its own sample of z, refined by the teacher, instead of the teacher's
            sample of z. Nothing in VSD ties the two: where they show different backs, Stage II would learn to
            blur (measured:
            docs/log.md).
        mixed: a teacher of float32 weights computes in bfloat16 where the device has it.
        truth: pair's number -> the object's own six views (6, 3, H, W) in [0, 1], reconstructed instead of
            the teacher's sample: for data with true views and a teacher that is no better than its generator
            (measured:
            docs/log.md).

    Raises:
        ConfigError: the folder holds pairs of other settings. OutputError: it cannot be written.
    """
    settings = {"format": FORMAT, "fov": INPUT_FOV, **asdict(options)}
    settings["truth"] = TRUE_VIEWS if truth else REFINED if generator else TEACHER
    settings["truncation"] = generator.truncation if generator else 1.0
    about = folder / "pairs.json"
    if about.exists():
        before = read_fields(about, ConfigError, "Choose another folder.")
        if before.fields("settings").values != settings:
            raise ConfigError(
                f"{folder} holds pairs of other settings", "Choose another folder, or repeat the settings."
            )
        had = before.integer("count", 0, 1 << 40, default=count)
        # its last file is not full: made again, with the same pairs in front
        if had < count and had % options.chunk:
            chunk_path(folder, had // options.chunk).unlink(missing_ok=True)
    atomic_write(about, json.dumps({"settings": settings, "count": count}).encode())
    empty = 0
    starts = [
        start
        for start in range(0, count, options.chunk)
        if not chunk_path(folder, start // options.chunk).exists()
    ]
    for start in tqdm(starts, unit="chunk", disable=not starts):
        items = []
        end = min(start + options.chunk, count)
        if truth is None:
            sampled = _sampled(teacher, codec, pictures, range(start, end), options, generator, mixed)
        else:
            sampled = [
                (*pictures(number), codec.encode(truth(number)[None])[0]) for number in range(start, end)
            ]
        for number, (key, picture, x0) in zip(range(start, end), sampled):
            poses = random_poses(options.renders, np.random.default_rng([options.seed, number]))
            views = codec.decode(x0[None])[0]
            try:
                rgb, mask = render(views, picture, torch.from_numpy(poses).to(views.device))
            except MeshError:
                empty += 1
                continue
            item = {"number": number, "key": key, "picture": picture, "views": views, "x0": x0}
            items.append(item | {"rgb": rgb, "mask": mask, "poses": poses})
        _write(chunk_path(folder, start // options.chunk), items)
    return {"pairs": count - empty, "empty": empty}


def chunk_path(folder: Path, index: int) -> Path:
    return folder / f"pairs-{index:06d}.npz"


class Pairs:
    """Random access to pairs written by :func:`make_pairs`.

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

    def noise(self, index: int, shape: tuple[int, ...]) -> Tensor:
        """z (1, *shape) of one pair."""
        return noise_of(int(self.settings["seed"]), int(self.numbers[index]))((1, *shape))

    def pairs(self, index: int, size: int, shape: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
        """Micro-batch ``index`` for the regression warm-up: pictures in [0, 1], z, and the teacher's x0."""
        rng = np.random.default_rng([7, index])
        rows = rng.integers(len(self), size=size)
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


def _sampled(
    teacher: MultiViewNetwork,
    codec: ViewCodec,
    pictures: Callable[[int], tuple[str, Tensor]],
    numbers: range,
    o: PairOptions,
    generator: OneStepGenerator | None,
    mixed: bool,
) -> list[tuple[str, Tensor, Tensor]]:
    """(key, picture, x0) of the pairs ``numbers``, sampled as one batch."""
    keys, shown = zip(*(pictures(number) for number in numbers))
    condition = codec.condition(torch.stack(shown))
    noise = SeededNoise([o.seed * 1_000_003 + number for number in numbers])
    untold = codec.unconditional(condition) if o.guidance_scale != 1.0 else None
    begin = x_t = None
    if generator is not None:
        begin = Sampler("ddim").first(teacher.schedule, o.steps, o.refine_from)
        z, fresh = (noise((len(numbers), *teacher.sample_shape)).to(shown[0].device) for _ in range(2))
        without = (
            generator.encode(codec.unconditional(condition)) if generator.guidance_scale != 1.0 else None
        )
        made = generator(z, generator.encode(condition), without)
        x_t = teacher.schedule.add_noise(made, fresh, torch.full((len(numbers),), begin, device=made.device))
    weights = next(cast(nn.Module, teacher).parameters())
    with (
        autocast_bf16(weights.device)
        if mixed and weights.dtype == torch.float32
        else contextlib.nullcontext()
    ):
        x0 = sample(
            teacher, condition, noise, steps=o.steps, sampler=Sampler("ddim"), unconditional=untold,
            guidance_scale=o.guidance_scale, clip=o.clip, start=x_t, begin=begin,
        )  # fmt: skip
    return list(zip(keys, shown, x0))


def _write(path: Path, items: list[dict[str, Any]]) -> None:
    arrays: dict[str, NDArray[Any]] = {
        name: np.array([item[name] for item in items]) for name in ("number", "key")
    }
    for name in ("picture", "views", "rgb", "mask"):
        arrays[name] = np.array([_bytes(item[name]) for item in items], np.uint8)
    arrays["x0"] = np.array([item["x0"].float().cpu().numpy() for item in items], np.float16)
    arrays["poses"] = np.array([item["poses"] for item in items], np.float32)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    atomic_write(path, buffer.getvalue())


def _bytes(values: Tensor) -> Bytes:
    result: Bytes = (values.detach().float().clamp(0, 1) * 255).round().byte().cpu().numpy()
    return result
