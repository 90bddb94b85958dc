"""Makes the teacher's pseudo ground truth: for a picture and a noise z, six views, their reconstruction, and
renders of that; :mod:`geco.training.pairs` reads it back.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from geco.cameras import INPUT_FOV, random_poses
from geco.device import autocast_bf16
from geco.errors import ConfigError, MeshError
from geco.files import atomic_write
from geco.foreign import read_fields
from geco.multiview.guidance import without_picture
from geco.multiview.interface import MultiViewNetwork, ViewCodec
from geco.multiview.one_step import OneStepGenerator
from geco.multiview.sampling import Walk, sample
from geco.multiview.steps import Sampler
from geco.noise import stream
from geco.training.machine import Machine
from geco.training.pairs import FORMAT, REFINED, TEACHER, TRUE_VIEWS, PairOptions, chunk_path, noise_of

# six views (6, 3, H, W) and condition picture (3, S, S) in [0, 1], poses (N, 4, 4) -> RGB (N, H, W, 3) and
# mask (N, H, W)
Render = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class PairMaker:
    """What pairs are made with.

    Attributes:
        teacher, codec: in evaluation mode.
        pictures: pair's number -> a key that names the picture, and the picture (3, H, W) in [0, 1].
        render: reconstruction and renders; a MeshError of it leaves the pair out.
        generator: the truth is then its own sample of z, refined by the teacher, instead of the teacher's
            sample of z. Nothing in VSD ties the two: where they show different backs, Stage II would learn to
            blur (measured: docs/log.md).
        truth: pair's number -> the object's own six views (6, 3, H, W) in [0, 1], reconstructed instead of
            the teacher's sample: for data with true views and a teacher that is no better than its generator
            (measured: docs/log.md).
        mixed: a teacher of float32 weights computes in bfloat16 where the device has it.
    """

    teacher: MultiViewNetwork
    codec: ViewCodec
    pictures: Callable[[int], tuple[str, Tensor]]
    render: Render
    generator: OneStepGenerator | None = None
    truth: Callable[[int], Tensor] | None = None
    mixed: bool = False

    def settings(self, options: PairOptions) -> dict[str, Any]:
        """All that the pairs depend on beside networks and pictures, for ``pairs.json``."""
        truth = TRUE_VIEWS if self.truth else REFINED if self.generator else TEACHER
        truncation = self.generator.truncation if self.generator else 1.0
        settings = {"format": FORMAT, "fov": INPUT_FOV, **asdict(options)}
        found: dict[str, Any] = json.loads(json.dumps(settings | {"truth": truth, "truncation": truncation}))
        return found


def make_pairs(
    maker: PairMaker, options: PairOptions, count: int, folder: Path, machine: Machine | None = None
) -> dict[str, int]:
    """Write pairs 0 .. count - 1 in files of ``options.chunk``; files that are there are kept, so a killed
    run continues.

    Args:
        folder: gets ``pairs-000000.npz`` ... and ``pairs.json``.
        machine: its processes share the files out; None is one process.

    Returns:
        How many there are ("pairs"), and how many were left out ("empty").

    Raises:
        ConfigError: the folder holds pairs of other settings. OutputError: it cannot be written.
    """
    rank, world = (machine.rank, machine.world) if machine else (0, 1)
    if rank == 0:
        _begin(folder, maker.settings(options), count, options.chunk)
    if machine is not None:
        machine.wait()
    empty = 0
    mine = range(rank * options.chunk, count, world * options.chunk)
    starts = [start for start in mine if not chunk_path(folder, start // options.chunk).exists()]
    for start in tqdm(starts, unit="chunk", disable=not starts):
        numbers = range(start, min(start + options.chunk, count))
        items = [item for item in _chunk(maker, options, numbers) if item is not None]
        empty += len(numbers) - len(items)
        _write(chunk_path(folder, start // options.chunk), items)
    if machine is not None:
        empty = round(machine.total(empty))
    return {"pairs": count - empty, "empty": empty}


def _begin(folder: Path, settings: dict[str, Any], count: int, chunk: int) -> None:
    """Write ``pairs.json``, after a look at what is there; a last file that was not full is made again, with
    the same pairs in front.
    """
    about = folder / "pairs.json"
    if about.exists():
        before = read_fields(about, ConfigError, "Choose another folder.")
        if before.fields("settings").values != settings:
            raise ConfigError(
                f"{folder} holds pairs of other settings", "Choose another folder, or repeat the settings."
            )
        had = before.integer("count", 0, 1 << 40, default=count)
        if had < count and had % chunk:
            chunk_path(folder, had // chunk).unlink(missing_ok=True)
    atomic_write(about, json.dumps({"settings": settings, "count": count}).encode())


def _chunk(maker: PairMaker, options: PairOptions, numbers: range) -> list[dict[str, Any] | None]:
    """The pairs of one file; None where there is no surface."""
    codec, truth = maker.codec, maker.truth
    with torch.no_grad():
        if truth is None:
            sampled = _sampled(maker, options, numbers)
        else:
            sampled = [(*maker.pictures(number), codec.encode(truth(number)[None])[0]) for number in numbers]
        items: list[dict[str, Any] | None] = []
        for number, (key, picture, x0) in zip(numbers, sampled):
            poses = random_poses(options.renders, stream(options.seed, "pairs", number, "poses"))
            views = codec.decode(x0[None])[0]
            item = {"number": number, "key": key, "picture": picture, "views": views, "x0": x0}
            try:
                rgb, mask = maker.render(views, picture, torch.from_numpy(poses).to(views.device))
                items.append(item | {"rgb": rgb, "mask": mask, "poses": poses})
            except MeshError:
                items.append(None)
    return items


def _sampled(maker: PairMaker, o: PairOptions, numbers: range) -> list[tuple[str, Tensor, Tensor]]:
    """(key, picture, x0) of the pairs ``numbers``, sampled as one batch."""
    teacher, codec, generator = maker.teacher, maker.codec, maker.generator
    weights = next(cast(nn.Module, teacher).parameters())
    keys, pictures = zip(*(maker.pictures(number) for number in numbers))
    condition = codec.condition(torch.stack(pictures))
    noise = noise_of(o.seed, numbers)
    unconditional = without_picture(codec, condition, o.guidance_scale)
    begin = x_t = None
    if generator is not None:
        begin = Sampler("ddim").first(teacher.schedule, o.steps, o.refine_from)
        z, fresh = (noise((len(numbers), *teacher.sample_shape)).to(weights.device) for _ in range(2))
        generated = generator.from_noise(z, condition, codec)
        x_t = teacher.schedule.add_noise(
            generated, fresh, torch.full((len(numbers),), begin, device=generated.device)
        )
    mixed = maker.mixed and weights.dtype == torch.float32
    with autocast_bf16(weights.device) if mixed else contextlib.nullcontext():
        walk = Walk(o.steps, Sampler("ddim"), o.guidance_scale, o.clip, x_t, begin)
        x0 = sample(teacher, condition, noise, walk, unconditional)
    return list(zip(keys, pictures, x0))


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


def _bytes(values: Tensor) -> NDArray[np.uint8]:
    result: NDArray[np.uint8] = (values.detach().float().clamp(0, 1) * 255).round().byte().cpu().numpy()
    return result
