"""What the small teacher should be, one short training each: ``python -m benchmarks.network_switches OBJECTS
-o FOLDER``.

Every row is a ``geco train teacher`` from nothing with one thing changed, all for the same CPU minutes of
one thread, recipe ``small`` (views of 64 px). OBJECTS are folders of objects; the first ``--before`` of
them are the data of before. Pictures are rendered once, 60 objects of the first folder held out. The table
compares all rows on the same 96 px views of those, and of ``--eval`` objects if there are any: one pass
from noise, and eight guided steps. Everything is kept in FOLDER, a killed command goes on where it was,
``--only NAME`` makes single rows.

Short trainings rank nothing that differs by less than two seeds do: the second row is the first with another
seed.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.sampling_table import resize, scores
from geco.data.dataset import GridViews
from geco.data.shards import HELD_OUT
from geco.device import autocast_bf16
from geco.files import atomic_write
from geco.model_files.card import MULTIVIEW
from geco.multiview.generate import generate_views
from geco.multiview.interface import Condition
from geco.multiview.small.codec import PixelCodec
from geco.multiview.small.weights import load_small
from geco.noise import seed_of
from geco.sampling import Sampling
from geco.training.augment import Jitter, composite, photograph
from geco.training.six_views import to_tensors

COMMON = 96  # pixels that all rows are compared at
# A photo's faults: as the row of that name is trained with, and harder, as all rows are measured with.
FAULTS = (
    "jitter.shaded=0.3",
    "jitter.miscut=0.3",
    "jitter.lossy=0.3",
    "jitter.balance=0.15",
    "jitter.soft=0.5",
)
HARD = Jitter(shaded=0.7, miscut=0.7, lossy=0.7, balance=0.15, soft=0.7, moved=1.0)
MEASURED_STEPS = 4, 16
ONE, MANY = Sampling(), Sampling("ddim", steps=8, guidance_scale=1.5, eta=1.0, clip=1.0)


@dataclass(frozen=True)
class Row:
    """One training: its views' sizes, an equal part of the minutes each; the network; what is set."""

    name: str
    sizes: tuple[int, ...] = (64,)
    network: Mapping[str, Any] = field(default_factory=dict)
    sets: tuple[str, ...] = ()
    seed: int = 0
    before: bool = False


# Networks of equal inference time: 102, 97 and 100 ms of one thread a picture (write and read pass, float32).
ROWS = (
    Row("base"),
    Row("base, another seed", seed=1),
    Row("the objects of before", before=True),
    Row("48, then 64 px", (48, 64)),
    Row("wide: 80/256 channels, 1 stage", network={"channels": 80, "width": 256, "stages": 1, "heads": 4}),
    Row("deep: 56/160 channels, 4 stages", network={"channels": 56, "width": 160, "stages": 4, "heads": 4}),
    Row("no volume, 4 stages", network={"volume": 0, "stages": 4}),
    Row("pictures with photos' faults", sets=FAULTS),
    Row("96 px", (96,)),
    Row("48, 64, then 96 px", (48, 64, 96)),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("objects", type=Path, nargs="+", help="folders of objects")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--before", type=int, default=1, help="so many of the folders are the data of before")
    parser.add_argument(
        "--eval", type=Path, help="folder of objects that are measured besides, never trained"
    )
    parser.add_argument("--minutes", type=float, default=5.0, help="of one thread, each training")
    parser.add_argument("--only", nargs="*", metavar="NAME")
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.output.mkdir(parents=True, exist_ok=True)
    measured = {"held out": render(options, COMMON) / HELD_OUT}
    if options.eval:
        measured["evaluation"] = render_objects([options.eval], options.output / "eval-96", COMMON, 0)
    for row in ROWS:
        if options.only is None or row.name in options.only:
            measure(options, row, train(options, row), measured)
            atomic_write(options.output / "networks.md", table(options.output, list(measured)).encode())
    print(table(options.output, list(measured)))


def render(options: argparse.Namespace, size: int, before: bool = False) -> Path:
    """Shards of views of ``size`` pixels of all objects, or of those of before."""
    folders = options.objects[: options.before] if before else options.objects
    return render_objects(folders, options.output / f"{'before' if before else 'all'}-{size}", size, 60)


def render_objects(folders: Sequence[Path], out: Path, size: int, held_out: int) -> Path:
    """Shards in ``out``, made where they are not there yet."""
    if not (out / "index.json").exists():
        sets = ["--views", "grid-targets,grid-extra,grid-inputs", "--shard-objects", "64"]
        sized = ["--size", str(size), "--hold-out", str(held_out)]
        geco("data", "render", *map(str, folders), "-o", str(out), *sets, *sized)
    return out


def train(options: argparse.Namespace, row: Row) -> Path:
    """The row's last run folder."""
    folder: Path = options.output / "".join(c if c.isalnum() else "-" for c in row.name)
    folder.mkdir(exist_ok=True)
    network = [f"--set=multiview.{name}={value}" for name, value in row.network.items()]
    last: Path | None = None
    for number, size in enumerate(row.sizes):
        data, run = render(options, size, row.before), folder / f"{size}"
        final = number + 1 == len(row.sizes)
        place = ["--device", "cpu", "--threads", "1", "--recipe", "small", "--seed", str(row.seed)]
        given = ["--data", str(data), *place, *(f"--set={value}" for value in row.sets)]
        given += network if last is None else []  # of a network that starts from nothing
        steps = round(
            60 * options.minutes / len(row.sizes) / seconds_a_step(options.output, row, size, given)
        )
        length = ["--steps", str(steps)] + ([] if final else ["--decay-part", "0"])
        start = [] if last is None else ["--init", str(last)]
        geco("train", "teacher", "-o", str(run), "--resume", *given, *length, *start)
        last = run
    assert last is not None
    return last


def seconds_a_step(folder: Path, row: Row, size: int, given: Sequence[str]) -> float:
    """CPU seconds of a training step, which other work on the machine changes less than the clock's; measured
    once for every network and size, so that rows of the same take the same steps.
    """
    path = folder / "seconds.json"
    read: dict[str, float] = json.loads(path.read_text()) if path.exists() else {}
    name = f"{size} px {dict(row.network)}"
    if name not in read:
        taken = []
        for steps in MEASURED_STEPS:
            with tempfile.TemporaryDirectory() as run:
                began = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
                geco("train", "teacher", "-o", f"{run}/run", "--steps", str(steps), *given)
                taken.append(sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) - began)
        read[name] = (taken[1] - taken[0]) / (MEASURED_STEPS[1] - MEASURED_STEPS[0])
        atomic_write(path, json.dumps(read, indent=1).encode())
    return read[name]


def geco(*arguments: str) -> None:
    """Raises CalledProcessError."""
    subprocess.run([sys.executable, "-m", "geco.cli.main", *arguments], check=True)


def measure(options: argparse.Namespace, row: Row, run: Path, measured: Mapping[str, Path]) -> None:
    """``measured.json`` beside the run; what is there is kept."""
    path = run.parent / "measured.json"
    if path.exists():
        return
    network = load_small(run / MULTIVIEW)
    runs = (run.parent / str(size) / "training.json" for size in row.sizes)
    samples = sum(json.loads(path.read_text())["samples"] for path in runs)
    found: dict[str, Any] = {"name": row.name, "samples": samples, "seconds": seconds(network)}
    for name, shards in measured.items():
        data = GridViews(shards)
        condition, targets = to_tensors(data.fixed(len(data)))
        faulty = photograph(condition, torch.Generator().manual_seed(5), HARD)
        for kind, pictures in (("", condition), (", faults", faulty)):
            for how, setting in (("one pass", ONE), ("8 steps", MANY)):
                if kind and setting is MANY:
                    continue
                views = generated(network, composite(pictures), setting)
                found[f"{name}, {how}{kind}"] = scores(views, targets)
    atomic_write(path, json.dumps(found, indent=1).encode())


@torch.no_grad()
def generated(network: Any, picture: Tensor, setting: Sampling) -> Tensor:
    """Views (B, 6, 3, 96, 96) of pictures (B, 3, S, S), by the network's own size."""
    size = network.config.size
    seeds = [seed_of(0, "networks", index) for index in range(len(picture))]
    with autocast_bf16("cpu"):
        views = generate_views(network, PixelCodec(size), resize(picture, size), seeds, setting)
    return resize(views, COMMON)


@torch.no_grad()
def seconds(network: Any, repeats: int = 9) -> float:
    """CPU seconds of one picture's write and read pass in float32; the median."""
    size, taken = network.config.size, []
    x, picture = torch.randn(1, *network.sample_shape), torch.randn(1, 3, size, size)
    for _ in range(repeats):
        began = time.process_time()
        state = network.encode_condition(Condition(picture))
        network.predict(x, torch.tensor([network.schedule.last]), state, "x0")
        taken.append(time.process_time() - began)
    return sorted(taken)[repeats // 2]


def table(folder: Path, measured: Sequence[str]) -> str:
    """Markdown of the rows that are there, in the order of :data:`ROWS`."""
    read = [json.loads(path.read_text()) for path in folder.glob("*/measured.json")]
    found = {row["name"]: row for row in read}
    heads = ["", "samples", "ms"]
    for name in measured:
        heads += [
            f"{name}: 1 pass PSNR",
            "object",
            "IoU",
            "faults: object",
            "8 steps: object",
            "IoU",
            "sharp",
        ]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for name in (row.name for row in ROWS if row.name in found):
        row = found[name]
        cells = [name, f"{row['samples']:,}", f"{1000 * row['seconds']:.0f}"]
        for place in measured:
            one, many = row[f"{place}, one pass"], row[f"{place}, 8 steps"]
            faulty = row[f"{place}, one pass, faults"]
            cells += [f"{one['psnr']:.2f}", f"{one['object_psnr']:.2f}", f"{one['iou']:.3f}"]
            cells += [f"{faulty['object_psnr']:.2f}", f"{many['object_psnr']:.2f}"]
            cells += [f"{many['iou']:.3f}", f"{many['sharpness']:.2f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
