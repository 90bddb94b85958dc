"""The options that say how views are drawn, the same in every command that draws them."""

from __future__ import annotations

import argparse
from typing import Any

from geco.choices import choice, choices
from geco.cli import choice_options

COMMON = ("steps", "guidance", "sampler", "reference")  # of every command; truncation is of geco run alone


def add(group: Any) -> None:
    """Add ``--steps``, ``--guidance``, ``--sampler`` and ``--reference``; each default is the model's own."""
    choice_options.add(group, map(choice, COMMON))


def asked(options: argparse.Namespace) -> dict[str, Any]:
    """What was given of them, by the names of :class:`geco.sampling.Steering`."""
    given = {row.target: getattr(options, row.name, None) for row in choices("views")}
    return {name: value for name, value in given.items() if value is not None}
