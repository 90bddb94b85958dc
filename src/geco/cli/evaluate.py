"""``geco evaluate``: methods x objects to rows, tables and one page."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geco.cli import evaluate_options, steering

if TYPE_CHECKING:
    from geco.evaluate.settings import Settings


def add(commands: Any) -> None:
    """Add the command with its arguments."""
    evaluate_options.add(commands).set_defaults(function=run)


def run(options: argparse.Namespace) -> int:
    """Check everything that can be checked, then measure."""
    from geco.errors import ConfigError
    from geco.evaluate.methods import parse_methods
    from geco.evaluate.plan import Plan, choose_objects
    from geco.evaluate.reading import Reading
    from geco.evaluate.run import evaluate
    from geco.processes import Bounds
    from geco.sampling import Steering

    settings = _settings(options)
    asked = Steering(**steering.asked(options))
    methods = parse_methods(_listed(options.methods), options.meshes, options.model, asked)
    for folder in options.allow_links_to:
        if not folder.is_dir():
            raise ConfigError(
                f"--allow-links-to {folder} is not a folder", "Give the folder that links lead into."
            )
    if not options.read_limit > 0:
        raise ConfigError(f"--read-limit {options.read_limit:g}", "Give more than 0 seconds.")
    objects = choose_objects(options.objects, options.limit, options.allow_links_to)
    reading = Reading(
        Bounds(options.time_limit, options.memory),
        options.read_limit,
        tuple(p.absolute() for p in options.allow_links_to),
    )
    plan = Plan(
        Path(options.output),
        objects,
        methods,
        settings,
        options.device,
        keep_meshes=not options.no_meshes,
        quiet=options.quiet,
        reading=reading,
    )
    done = evaluate(plan)
    if not options.quiet:
        what = (
            f"{done['measured']} rows measured, {done['rows']} in all"
            if done["measured"]
            else f"nothing to do: all {done['rows']} rows are there"
        )
        print(f"{what} ({done['seconds']:.1f} s); report in {options.output}", file=sys.stderr)
        print((plan.report / "tables.md").read_text(encoding="utf-8") if done["measured"] else "", end="")
    return 0


def _settings(options: argparse.Namespace) -> Settings:
    from geco.errors import ConfigError
    from geco.evaluate.methods import VARIANTS
    from geco.evaluate.settings import Settings, seeds_of

    variants = tuple(dict.fromkeys(_listed(options.variants)))
    if unknown := [variant for variant in variants if variant not in VARIANTS]:
        raise ConfigError(f"no variant is called {', '.join(unknown)}", f"Use some of {', '.join(VARIANTS)}.")
    return Settings(
        protocol=options.protocol,
        seeds=seeds_of(Path(options.output)) if options.seeds is None else options.seeds,
        size=options.size,
        variants=tuple(variant for variant in VARIANTS if variant in variants),
        mesh_light=options.mesh_light,
        alignment=options.alignment,
        lpips_weights=options.lpips_weights,
        clip_weights=options.clip_weights,
    )


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
