"""What a pair is made of: for a picture and a noise z, six views of the teacher's, their reconstruction, and
renders of that. :mod:`geco.training.pair_work` makes many and writes them, :mod:`geco.training.pairs` reads
them back.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from geco.cameras import INPUT_FOV, random_poses
from geco.device import autocast_bf16
from geco.errors import MeshError
from geco.multiview.guidance import without_picture
from geco.multiview.interface import MultiViewNetwork, ViewCodec
from geco.multiview.one_step import OneStepGenerator
from geco.multiview.sampling import Walk, sample
from geco.multiview.steps import Sampler
from geco.noise import stream
from geco.training.pairs import FORMAT, REFINED, TEACHER, TRUE_VIEWS, PairOptions, noise_of

# Six views (6, 3, H, W) and condition picture (3, S, S) in [0, 1], poses (N, 4, 4) -> "rgb" (N, R, R, 3) and
# "mask" (N, R, R), and where the options ask for geometry "normal" (N, R, R, 3) and "depth" (N, R, R).
Render = Callable[[Tensor, Tensor, Tensor], Mapping[str, Tensor]]


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
        about: what else decides the pairs, by name: models, data, the surfaces' resolution.
    """

    teacher: MultiViewNetwork
    codec: ViewCodec
    pictures: Callable[[int], tuple[str, Tensor]]
    render: Render
    generator: OneStepGenerator | None = None
    truth: Callable[[int], Tensor] | None = None
    mixed: bool = False
    about: Mapping[str, Any] = field(default_factory=dict)

    def settings(self, options: PairOptions) -> dict[str, Any]:
        """All that the pairs depend on, for ``pairs.json``."""
        truth = TRUE_VIEWS if self.truth else REFINED if self.generator else TEACHER
        truncation = self.generator.truncation if self.generator else 1.0
        settings = {"format": FORMAT, "fov": INPUT_FOV, **asdict(options), **self.about}
        found: dict[str, Any] = json.loads(json.dumps(settings | {"truth": truth, "truncation": truncation}))
        return found


def make_items(maker: PairMaker, options: PairOptions, numbers: range) -> list[dict[str, Any]]:
    """The pairs of these numbers that have a surface, sampled as one batch; arrays as
    :func:`geco.training.pair_files.encode_pair` takes them, "number" and "key".
    """
    codec, truth = maker.codec, maker.truth
    with torch.no_grad():
        if truth is None:
            sampled = _sampled(maker, options, numbers)
        else:
            sampled = [(*maker.pictures(number), codec.encode(truth(number)[None])[0]) for number in numbers]
        items = []
        for number, (key, picture, x0) in zip(numbers, sampled):
            poses = random_poses(options.renders, stream(options.seed, "pairs", number, "poses"))
            views = codec.decode(x0[None])[0]
            with contextlib.suppress(MeshError):
                drawn = maker.render(views, picture, torch.from_numpy(poses).to(views.device))
                item = {"number": number, "key": key, "poses": poses, "x0": x0.float().cpu().numpy()}
                item |= {"picture": as_bytes(picture), "views": as_bytes(views)}
                item |= {name: as_bytes(drawn[name]) for name in ("rgb", "mask")}
                if options.geometry:
                    item |= {name: drawn[name].float().cpu().numpy() for name in ("normal", "depth")}
                items.append(item)
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
        shape = (len(numbers), *teacher.sample_shape)
        generated = generator.from_noise(noise(shape).to(weights.device), condition, codec, noise)
        fresh = noise(shape).to(weights.device)
        x_t = teacher.schedule.add_noise(
            generated, fresh, torch.full((len(numbers),), begin, device=generated.device)
        )
    mixed = maker.mixed and weights.dtype == torch.float32
    with autocast_bf16(weights.device) if mixed else contextlib.nullcontext():
        walk = Walk(o.steps, Sampler("ddim"), o.guidance_scale, o.clip, x_t, begin)
        x0 = sample(teacher, condition, noise, walk, unconditional)
    return list(zip(keys, pictures, x0))


def as_bytes(values: Tensor) -> NDArray[np.uint8]:
    """[0, 1] as 256 levels, on the host."""
    result: NDArray[np.uint8] = (values.detach().float().clamp(0, 1) * 255).round().byte().cpu().numpy()
    return result
