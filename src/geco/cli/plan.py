"""From the options of ``geco run`` to the plan of its files (:mod:`geco.outputs`)."""

from __future__ import annotations

import argparse
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeAlias

from geco.asset_options import check_format
from geco.choices import sort
from geco.cli import choice_options
from geco.cli.pictures import Given
from geco.errors import MissingExtraError
from geco.files import sweep
from geco.images import STEPS
from geco.mesh.export import check_size
from geco.outputs import Job as AnyJob
from geco.outputs import Wanted
from geco.outputs import plan as plan_files

if TYPE_CHECKING:
    from geco.many.manifest import Manifest

Job: TypeAlias = AnyJob[Given]


def plan(pictures: list[Given], options: argparse.Namespace, manifest: Manifest | None = None) -> list[Job]:
    """One job a picture; hidden files that killed runs left in its folders are deleted.

    Args:
        manifest: of the run, which knows what it wrote before.

    Raises:
        OutputError: an output is an input, meets another output or holds something of others, cannot be
            written, or has no known format. MissingExtraError: its format needs an extra. ConfigError: a size
            out of range.
    """
    check_size(options.size)
    asked = sort(choice_options.values(options))
    seeds = first_seeds(options)
    wanted = Wanted(
        output=options.output,
        format=options.format,
        seeds=seeds,
        further=asked.mesh.beside,
        views=options.views,
        turntable=options.turntable,
        steps=options.save_steps,
        step_names=(*STEPS, *(f"views-{index}.png" for index in range(len(seeds) * options.best_of))),
        overwrite=options.overwrite,
    )
    if manifest is not None:
        wanted = replace(wanted, known=manifest.knows, beside=manifest.path)
    jobs = plan_files(pictures, wanted)
    files = [path for job in jobs for path in job.files()]
    suffixes = {path.suffix.lower() for path in files}
    if ".mp4" in suffixes and find_spec("imageio_ffmpeg") is None:
        raise MissingExtraError("imageio-ffmpeg", "video", "an .mp4 turntable")
    for format in {output.mesh.suffix.lower()[1:] for job in jobs for output in job.outputs}:
        check_format(format, asked.mesh, asked.file["compression"])
    if ".usdz" in suffixes and find_spec("pxr") is None:
        raise MissingExtraError("usd-core", "usd", "USDZ export")
    for folder in {path.parent for path in files}:
        sweep(folder)
    return jobs


def first_seeds(options: argparse.Namespace) -> range:
    """One a sample, which its files are named after: its only seed, or the first of those that it is the best
    of.
    """
    return range(options.seed, options.seed + options.samples * options.best_of, options.best_of)
