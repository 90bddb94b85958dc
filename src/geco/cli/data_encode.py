"""``geco data encode``: condition pictures through a full model's encoders, once, for its distillation."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geco.errors import ConfigError, MissingExtraError, OutputError

if TYPE_CHECKING:
    from geco.processes import Workers
    from geco.processes.ray_workers import RayWorkers
    from geco.training.latents import Number

FILE_PICTURES = 256


def add(commands: Any) -> None:
    """Add the command's arguments."""
    command: argparse.ArgumentParser = commands.add_parser(
        "encode",
        help="condition pictures to latents and embeddings, for distilling a full model",
        description="Encode every condition picture of SHARDS with the VAE and CLIP of a full model, as its "
        "distillation would at every step. geco distill stage1 and pairs read the result with --latents, and "
        "load neither. A stopped run goes on when the same command is given again.",
        epilog="Example: geco data encode shards --model models/full -o latents --workers 4",
    )
    add_argument = command.add_argument
    add_argument("shards", type=Path, metavar="SHARDS", help="a folder made by geco data render")
    model = "whose VAE and CLIP: a full model's folder, name or hub id"
    add_argument("--model", type=Path, required=True, metavar="NAME|DIR", help=model)
    add_argument("-o", "--output", type=Path, required=True, metavar="LATENTS", help="the folder to write")
    half = "keep float16, 35 kB a picture for 70: losses then differ in the fourth digit"
    add_argument("--half", action="store_true", help=half)
    add_argument("--device", metavar="D", default="cpu", help="cpu, cuda (default: cpu)")
    workers = "processes (default: one a core; with --ray: one a CPU, or GPU, of the cluster; with a GPU: 1)"
    add_argument("--workers", type=int, metavar="N", help=workers)
    ray = "a Ray cluster (HOST:PORT, auto), or local to start one here"
    add_argument("--ray", metavar="ADDRESS", help=ray)
    each = f"pictures a file: what a killed worker does again (default: {FILE_PICTURES})"
    add_argument("--file-pictures", type=int, default=FILE_PICTURES, metavar="N", help=each)
    time = "seconds that a file may take (default: 3600)"
    add_argument("--time-limit", type=float, default=3600.0, metavar="S", help=time)
    command.set_defaults(function=encode)


def encode(options: argparse.Namespace) -> int:
    """Encode, or continue to."""
    for name in ("workers", "file_pictures"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise ConfigError(f"--{name.replace('_', '-')} {value}", "Give a number of at least one.")
    _need_torch()
    from tqdm import tqdm

    from geco.getting import find_folder
    from geco.training.encode import Encoding, picture_bytes
    from geco.training.encode_folder import encode as encode_all
    from geco.training.encode_folder import folders_of

    numbers: Number = "float16" if options.half else "float32"
    model = find_folder(options.model).absolute()
    encoding = Encoding(options.shards.absolute(), model, numbers, options.file_pictures)
    each = picture_bytes(encoding)
    folders = folders_of(encoding, options.output.absolute())
    jobs = [job for folder in folders for job in folder.missing()]
    total = sum(len(part) for folder in folders for part in folder.files.values())
    todo = sum(len(job.pictures) for job in jobs)
    if jobs:
        _check_disk(options.output, total, todo, each)
        bar = tqdm(total=total, initial=total - todo, unit="picture", disable=not sys.stderr.isatty())
        with bar, _pool(options, model, len(jobs)) as pool:
            encode_all(folders, pool, bar.update)
    print(f"{options.output}: {total} pictures, {each} bytes each, {total * each / 1e6:.1f} MB ({numbers})")
    return 0


def _check_disk(output: Path, total: int, todo: int, each: int) -> None:
    """Say what will be written, and refuse where there is not that much."""
    place = output.absolute()
    while not place.exists():
        place = place.parent
    needed, free = todo * each, shutil.disk_usage(place).free
    said = f"{total} pictures of {each / 1e3:.1f} kB: {needed / 1e6:.1f} MB to write"
    print(f"disk: {said}; {free / 1e6:.0f} MB are free", file=sys.stderr)
    if needed > free:
        raise OutputError(
            f"{output} needs {needed / 1e6:.0f} MB, and {free / 1e6:.0f} MB are free",
            "Free some, choose another place with -o, or add --half.",
        )


def _pool(options: argparse.Namespace, model: Path, jobs: int) -> Workers | RayWorkers:
    from geco.cores import physical_cores
    from geco.processes import Bounds, Workers
    from geco.training.encode import Encoder

    bounds = Bounds(options.time_limit, memory_gb=0)
    on_gpu = options.device.startswith("cuda")
    if options.ray is not None:
        from geco.processes.ray_workers import Cluster, RayWorkers

        cluster = Cluster(options.ray, on_gpu, "Encoding on many machines")
        return RayWorkers(Encoder(model, options.device), cluster, options.workers, bounds)
    count = min(options.workers or (1 if on_gpu else physical_cores()), jobs)
    return Workers(Encoder(model, options.device), count, bounds)


def _need_torch() -> None:
    try:
        import diffusers  # noqa: F401
        import torch  # noqa: F401
        import transformers  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("torch", "torch", "encoding pictures") from error
