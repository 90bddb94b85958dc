"""``geco optimize``: one object by score distillation, in minutes instead of a second."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geco.cli import model_options
from geco.errors import ConfigError, MissingExtraError, one_line

if TYPE_CHECKING:
    from geco.mesh.types import Mesh
    from geco.optimize import Made, OptimizeOptions
    from geco.seen import Seen
    from geco.torch_runtime.backend import TorchBackend

BEHIND = "-optimize"  # of the mesh's name: the folder of previews and checkpoint


def add(commands: Any) -> None:
    """Add the command's arguments."""
    command: argparse.ArgumentParser = commands.add_parser(
        "optimize",
        help="one object by score distillation (SDS, VSD), or a result refined, in minutes",
        description="Optimise one object until a multi-view teacher takes its views for real and its "
        "front is the picture: a volume, then a mesh. With --from or --refine: a result of geco run, made "
        "better.",
        epilog="Example: geco optimize photo.png --teacher models/small/teacher -o photo.glb",
    )
    add_argument = command.add_argument
    add_argument("picture", type=Path, metavar="PICTURE", help="a picture of one object")
    add_argument("--teacher", required=True, metavar="MODEL", help=f"{model_options.NAMES}; no generator")
    add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="the mesh, e.g. cup.glb")
    add_argument("--method", choices=("sds", "vsd"), default="sds", help="default: sds")
    start = command.add_mutually_exclusive_group()
    start.add_argument("--from", dest="start", type=Path, metavar="MESH", help="refine this result")
    start.add_argument("--refine", action="store_true", help="refine what --model makes")
    model_options.add(command)
    add_argument("--seed", type=int, default=0, metavar="N", help="of all random numbers (default: 0)")
    add_argument("--steps", type=int, metavar="N", help="updates of the object (default: 300, refining 60)")
    add_argument("--particles", type=int, default=1, metavar="N", help="objects at once; the best is kept")
    add_argument("--patience", type=int, metavar="N", help="end after N steps without gain in the picture")
    add_argument("--texture-size", type=int, metavar="N", help="side of the texture (default: the card's)")
    add_argument("--faces", type=int, metavar="N", help="most faces of the mesh")
    add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="any other number")
    add_argument("--work", type=Path, metavar="DIR", help=f"previews, checkpoint (default: FILE{BEHIND})")
    add_argument("--resume", action="store_true", help="go on from the checkpoint of a run that was stopped")
    add_argument("--overwrite", action="store_true", help="replace a file that is no result of this picture")
    add_argument("--json", action="store_true", help="one JSON line about the result")
    add_argument("-q", "--quiet", action="store_true", help="print errors only")
    command.set_defaults(function=optimize)


def optimize(options: argparse.Namespace) -> int:
    """Check what was asked for, then optimise."""
    _check(options)
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("torch", "torch", "geco optimize") from error
    from geco.mesh.export import save  # noqa: F401  a suffix that needs an extra is found before the work
    from geco.optimize import load_teacher
    from geco.pipeline import GecoPipeline
    from geco.training.run_folder import CHECKPOINT, claimed

    numbers = _numbers(options)
    work = options.work or options.output.with_name(options.output.stem + BEHIND)
    backend = load_teacher(options.teacher, options.device)
    seen = GecoPipeline(backend).see(options.picture)
    with claimed(work, _settings(options, numbers, seen), options.resume, written=()):
        made = _made(options, numbers, seen, backend, work)
        if made.asset.facts.get("cutout_doubt") and not options.quiet:
            print(f"geco: the cut-out is doubtful ({made.asset.facts['cutout_doubt']})", file=sys.stderr)
        files = made.asset.save(options.output)
        (work / CHECKPOINT).unlink(missing_ok=True)
    _say(options, made, files)
    return 0


def _check(options: argparse.Namespace) -> None:
    """Raise for files that cannot be read or written, before anything is loaded."""
    from geco.cli.pictures import find_pictures
    from geco.outputs.guard import check_file
    from geco.outputs.origin import Origin
    from geco.outputs.plan import MESH_SUFFIXES

    if options.output.suffix.lower() not in MESH_SUFFIXES:
        raise ConfigError(
            f"{options.output}: {options.output.suffix or 'no suffix'} is not a mesh format",
            f"Use one of {' '.join(sorted(MESH_SUFFIXES))}.",
        )
    found = find_pictures([str(options.picture)]).pictures
    if len(found) != 1:
        raise ConfigError(f"{options.picture} holds {len(found)} pictures", "Give one picture.")
    inputs = [options.picture, *([options.start] if options.start else [])]
    check_file(options.output, inputs, Origin(found[0]).may_replace, options.overwrite)
    if options.start is not None and (options.texture_size or options.faces):
        raise ConfigError("a refined mesh keeps its faces and its texture's size", "Leave those options out.")


def _numbers(options: argparse.Namespace) -> OptimizeOptions:
    """The options class with what the command says; raises ConfigError."""
    from dataclasses import replace
    from typing import get_type_hints

    from geco.optimize import OptimizeOptions
    from geco.recipes.override import describe, parse

    refines = options.start is not None or options.refine
    steps = options.steps or (OptimizeOptions().refine_steps if refines else OptimizeOptions().steps)
    given: dict[str, Any] = {"method": options.method, "steps": steps, "particles": options.particles}
    given["patience"] = options.patience
    kinds = {name: kind for name, kind in get_type_hints(OptimizeOptions).items() if name not in given}
    for assignment in options.set:
        name, equals, text = (part.strip() for part in assignment.partition("="))
        if not equals or name not in kinds:
            raise ConfigError(
                f"--set {assignment}: there is no such number", f"Known: {', '.join(sorted(kinds))}."
            )
        try:
            given[name] = parse(text, kinds[name])
        except ValueError as error:
            raise ConfigError(
                f"--set {assignment}: {text!r} is not {describe(kinds[name])}", "Check the value."
            ) from error
    if refines and options.particles != 1:
        raise ConfigError("one result is refined, not several particles", "Leave --particles out.")
    return replace(OptimizeOptions(), **given)


def _settings(options: argparse.Namespace, numbers: OptimizeOptions, seen: Seen) -> dict[str, Any]:
    """What the run depends on, for the folder."""
    import torch

    from geco.loading import folder_of
    from geco.reading import sha256_of
    from geco.training.run_folder import fingerprint
    from geco.version import __version__

    found: dict[str, Any] = {"stage": "optimize", "picture": seen.source.digest, "seed": options.seed}
    found["teacher"] = fingerprint(folder_of(options.teacher))
    if options.start is not None:
        found["from"] = sha256_of(options.start)[:12]
    if options.refine:
        found["model"] = fingerprint(folder_of(options.model))
    found |= numbers.to_dict()
    return found | {"device": options.device, "geco": __version__, "torch": torch.__version__}


def _made(
    options: argparse.Namespace, numbers: OptimizeOptions, seen: Seen, backend: TorchBackend, work: Path
) -> Made:
    from geco.asset_options import AssetOptions
    from geco.optimize import optimize, refine

    asked = AssetOptions(faces=options.faces, texture_size=options.texture_size)
    start = _start(options, asked)
    with _progress(options.quiet) as on_step:
        if start is None:
            return optimize(seen, backend, numbers, options.seed, asked, work, on_step)
        return refine(seen, backend, start, numbers, options.seed, work, on_step)


def _start(options: argparse.Namespace, asked: Any) -> Mesh | None:
    """What is refined; None: nothing, so that the object is made from nothing."""
    from geco.optimize import read_result
    from geco.pipeline import GecoPipeline

    if options.start is not None:
        return read_result(options.start)
    if not options.refine:
        return None
    pipeline = GecoPipeline.from_pretrained(options.model, options.device)
    return pipeline(options.picture, options.seed, asked).mesh


@contextlib.contextmanager
def _progress(quiet: bool) -> Iterator[Any]:
    """A bar where somebody watches, else a line every tenth of the run; both with the time that is left."""
    if quiet:
        yield None
        return
    if sys.stderr.isatty():
        from tqdm import tqdm

        with tqdm(unit="step", file=sys.stderr, leave=False) as bar:

            def move(done: int, steps: int, values: Mapping[str, float], left: float) -> None:
                bar.total = steps
                bar.set_postfix_str(f"input view {values['psnr']:.1f} dB", refresh=False)
                bar.update(done - bar.n)

            yield move
        return

    def tell(done: int, steps: int, values: Mapping[str, float], left: float) -> None:
        if done % max(steps // 10, 1) == 0:
            said = f"step {done} of {steps}, input view {values['psnr']:.1f} dB, {left:.0f} s left"
            print(said, file=sys.stderr, flush=True)

    yield tell


def _say(options: argparse.Namespace, made: Made, files: list[Path]) -> None:
    facts, progress = made.asset.facts, made.progress
    if options.json:
        line = {"mesh": str(options.output), "files": [str(path) for path in files], "seed": options.seed}
        line |= {"seconds": progress.seconds, "cpu_seconds": progress.cpu_seconds, "facts": facts}
        print(json.dumps(line), flush=True)
    elif not options.quiet:
        psnr = facts["optimize"]["input_psnr"]
        shown = " to ".join(f"{value:.1f}" for value in psnr) if isinstance(psnr, list) else f"{psnr:.1f}"
        name = one_line(str(options.output))
        print(
            f"{name}  {facts['faces']:,} faces  input view {shown} dB  "
            f"{progress.step} steps in {progress.seconds:.0f} s",
            flush=True,
        )
