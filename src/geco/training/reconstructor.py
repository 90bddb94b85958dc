"""Train the small reconstructor: ``python -m geco.training.reconstructor --data SHARDS -o RUN --budget-minutes N``.

The shards need their labelled points first (``python -m geco.training.surface_points --data SHARDS``). With
``--generated FOLDER`` part of each batch has views that a generator made while supervision stays true: the second
stage's idea, a reconstructor that has seen what the generator really draws. RUN is a model folder at any time.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from geco.errors import ConfigError
from geco.files import atomic_path
from geco.reconstruct.small.config import SmallReconstructorConfig
from geco.reconstruct.small.model import SmallReconstructor
from geco.training.muon import Muon, split_parameters
from geco.training.reconstructor_data import ReconstructorBatch, ReconstructorData, worsen

TRUNCATION = 0.1  # world units; distances beyond it are all the same to the network
# Width of the soft occupancy around the surface (world units, two thirds of a pixel at 64 px).
SOFTNESS = 0.02


def losses(model: SmallReconstructor, batch: ReconstructorBatch, bf16: bool) -> tuple[Tensor, dict[str, float]]:
    """Weighted sum and its parts: occupancy and distance of the fine and of the coarse field, colour."""
    with torch.autocast(batch.views.device.type, torch.bfloat16, enabled=bf16):
        features = model.encode(batch.views, batch.picture)
    field = model.field
    inside, seen, depth = field.sample(features.volume, features.maps, batch.points)
    fine = field.shape(field.mix(inside, seen, depth)[1], inside)
    coarse = inside[..., 0] * 0.1
    target = batch.distance.clamp(-TRUNCATION, TRUNCATION)
    solid = (batch.distance < 0).float()
    occupancy = F.binary_cross_entropy_with_logits(-fine / SOFTNESS, solid)
    distance = (fine.clamp(-TRUNCATION, TRUNCATION) - target).abs().mean()
    rough = F.binary_cross_entropy_with_logits(-coarse / (2 * SOFTNESS), solid) + 10 * (coarse - target).abs().mean()
    color = (model.color(features, batch.surface) - batch.colors).abs().mean()
    total = occupancy + 10 * distance + 0.5 * rough + 3 * color
    parts = {"occupancy": occupancy, "distance": distance, "coarse": rough, "color": color}
    return total, {name: float(value.detach()) for name, value in parts.items()}


@torch.no_grad()
def validate(model: SmallReconstructor, batch: ReconstructorBatch, chunk: int = 5) -> dict[str, float]:
    """IoU of points (uniform ones), of the coarse field too, and colour PSNR in dB, means over objects."""
    rows: list[tuple[float, float, float]] = []
    for start in range(0, len(batch.views), chunk):
        part = slice(start, start + chunk)
        features = model.encode(batch.views[part], batch.picture[part])
        inside, seen, depth = model.field.sample(features.volume, features.maps, batch.points[part])
        fine = model.field.shape(model.field.mix(inside, seen, depth)[1], inside)
        colors = model.color(features, batch.surface[part]).clamp(0, 1)
        truth = batch.distance[part] < 0
        for item in range(len(fine)):
            ious = [overlap(values[item] < 0, truth[item]) for values in (fine, inside[..., 0])]
            error = float((colors[item] - batch.colors[part][item]).square().mean())
            rows.append((*ious, -10 * math.log10(max(error, 1e-10))))  # type: ignore[arg-type]
    means = torch.tensor(rows).mean(dim=0).tolist()
    return dict(zip(("iou", "iou_coarse", "color_psnr"), (round(value, 4) for value in means)))


def overlap(first: Tensor, second: Tensor) -> float:
    """Intersection over union of two boolean sets; 1 where both are empty."""
    union = (first | second).sum()
    return float((first & second).sum() / union) if union else 1.0


class Run:
    """A training that may be killed at any time and goes on from its last checkpoint."""

    def __init__(self, folder: Path, model: SmallReconstructor, matrix_rate: float, rate: float) -> None:
        self.folder = folder
        self.model = model
        self.ema = copy.deepcopy(model).eval()
        # The heads' last layers and the point network are thin: Adam's step by element suits them.
        matrices, rest = split_parameters(model, adam_names=("stem", "encoder.fine", "volume_net.out", "field"))
        self.optimizers = [Muon(matrices, lr=matrix_rate), torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.98), weight_decay=0.0)]
        self.rates = (matrix_rate, rate)
        self.step = 0
        self.samples = 0
        self.seconds = 0.0

    def update(self, loss: Tensor, rate: float) -> None:
        """One optimiser step at ``rate`` times the base rates, and the moving average."""
        for optimizer, base in zip(self.optimizers, self.rates):
            for group in optimizer.param_groups:
                group["lr"] = base * rate
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
        for optimizer in self.optimizers:
            optimizer.step()
        self.step += 1
        decay = min(0.999, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mean, value in zip(self.ema.parameters(), self.model.parameters()):
                mean.lerp_(value, 1 - decay)

    def save(self, facts: dict[str, Any]) -> None:
        """The checkpoint, then the averaged weights as a model folder."""
        state = {
            "model": self.model.state_dict(),
            "ema": self.ema.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "counts": (self.step, self.samples, self.seconds),
        }
        with atomic_path(self.folder / "checkpoint.pt") as temporary:
            torch.save(state, temporary)
        self.ema.save(self.folder, facts)

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one."""
        path = self.folder / "checkpoint.pt"
        if not path.exists():
            return
        state = torch.load(path, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.ema.load_state_dict(state["ema"])
        for optimizer, values in zip(self.optimizers, state["optimizers"]):
            optimizer.load_state_dict(values)
        self.step, self.samples, self.seconds = state["counts"]

    def log(self, **row: Any) -> None:
        """One JSON line to log.jsonl and to the screen."""
        line = json.dumps({"step": self.step, "samples": self.samples, "minutes": round(self.seconds / 60, 2), **row})
        print(line, flush=True)
        with (self.folder / "log.jsonl").open("a") as file:
            file.write(line + "\n")


def rate_at(progress: float, warm: float) -> float:
    """Share of the base rate: ``warm`` in [0, 1] rises over the first steps; linear decay over the last 40 % of the budget."""
    return min(1.0, warm) * min(1.0, max(0.02, (1 - progress) / 0.4))


def train(options: argparse.Namespace) -> None:
    """Train within the budget; see the module's docstring."""
    data = ReconstructorData(options.data, generated=options.generated)
    checks = {}
    if options.validation is not None:
        held = ReconstructorData(options.validation, pattern="*")
        checks["true"] = held.fixed(30, 2048, 1024)
        checks["worse"] = worsen(checks["true"], torch.Generator().manual_seed(5), share=1.0)
        if options.validation_views is not None:
            made = torch.from_numpy(torch_views(options.validation_views))
            true = checks["true"]
            checks["generated"] = ReconstructorBatch(made, true.picture, true.points, true.distance, true.surface, true.colors)
    options.output.mkdir(parents=True, exist_ok=True)
    model = SmallReconstructor.load(options.init) if options.init else SmallReconstructor(SmallReconstructorConfig())
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            module.to(memory_format=torch.channels_last)
        if isinstance(module, (nn.Conv3d, nn.ConvTranspose3d)):
            module.to(memory_format=torch.channels_last_3d)
    run = Run(options.output, model.train(), options.matrix_rate, options.rate)
    if options.resume:
        run.resume()
    facts = {"stage": "generated and true views" if options.generated else "true views", "batch": options.batch}
    budget = options.budget_minutes * 60
    saved = logged = time.monotonic()
    sums: dict[str, float] = {}
    while run.seconds < budget:
        start = time.monotonic()
        batch = data.batch(options.seed, run.step, options.batch, options.points, options.surface, options.generated_share)
        noise = torch.Generator().manual_seed(options.seed * 1_000_003 + run.step)
        loss, parts = losses(run.model, worsen(batch, noise, options.worsen), options.bf16)
        run.update(loss, rate_at(run.seconds / budget, (run.step + 1) / 50))
        run.samples += options.batch
        run.seconds += time.monotonic() - start
        sums = {name: sums.get(name, value) * 0.98 + value * 0.02 for name, value in parts.items()}
        if time.monotonic() - logged > 30:
            logged = time.monotonic()
            run.log(samples_per_second=round(run.samples / run.seconds, 2), **{k: round(v, 4) for k, v in sums.items()})
        if time.monotonic() - saved > options.save_minutes * 60:
            saved = time.monotonic()
            for name, check in checks.items():
                run.log(validation=name, **validate(run.ema, check))
            run.save({**facts, "samples": run.samples, "minutes": round(run.seconds / 60, 1)})
    results = {name: validate(run.ema, check) for name, check in checks.items()}
    for name, values in results.items():
        run.log(validation=name, final=True, **values)
    run.save({**facts, "samples": run.samples, "minutes": round(run.seconds / 60, 1), "validation": results})


def torch_views(path: Path) -> Any:
    """Generated validation views (30, 6, S, S, 3) uint8 -> (30, 6, 3, S, S) float32 in [0, 1]."""
    import numpy as np

    return np.ascontiguousarray(np.load(path).transpose(0, 1, 4, 2, 3)).astype(np.float32) / 255


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of shards with labelled points")
    parser.add_argument("--validation", type=Path, help="another such folder, never trained on")
    parser.add_argument("--validation-views", type=Path, help="generated views of the validation samples, (30, 6, S, S, 3) uint8")
    parser.add_argument("--generated", type=Path, help="folder with keys.npy and views.npy of generated views")
    parser.add_argument("--generated-share", type=float, default=0.5)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--init", type=Path, help="model folder to start from")
    parser.add_argument("--budget-minutes", type=float, default=45)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--points", type=int, default=3072, help="labelled points a sample")
    parser.add_argument("--surface", type=int, default=1024, help="coloured surface points a sample")
    parser.add_argument("--matrix-rate", type=float, default=0.02, help="learning rate of Muon")
    parser.add_argument("--rate", type=float, default=2e-3, help="learning rate of AdamW")
    parser.add_argument("--worsen", type=float, default=0.65, help="share of samples whose views are made worse")
    parser.add_argument("--bf16", action="store_true", help="pictures and volume in bfloat16 (faster where the CPU has it)")
    parser.add_argument("--save-minutes", type=float, default=3.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args()
    if options.generated is None and options.validation_views is not None and options.validation is None:
        raise ConfigError("--validation-views needs --validation", "Name the folder of validation shards.")
    torch.set_num_threads(options.threads)
    train(options)


if __name__ == "__main__":
    main()
