"""The options that say how views are drawn, the same in every command that draws them."""

from __future__ import annotations

import argparse
from typing import Any

ASKED = ("steps", "guidance", "sampler", "reference", "truncation")


def add(group: Any) -> None:
    """Add ``--steps``, ``--guidance``, ``--sampler`` and ``--reference``; each default is the model's own."""
    group.add_argument(
        "--steps",
        type=int,
        metavar="N",
        help="of a model that draws views in many, a teacher: 1 to 1000; time grows with them (default: "
        "the model's)",
    )
    group.add_argument(
        "--guidance",
        type=float,
        metavar="G",
        help="scale of classifier-free guidance, 1 is none (default: the model's)",
    )
    group.add_argument(
        "--sampler",
        choices=("ddim", "euler-ancestral"),
        help="rule of the steps: ddim (deterministic) or euler-ancestral (default: the model's)",
    )
    group.add_argument(
        "--reference",
        choices=("clean", "noised"),
        help="how Zero123++ reads the picture: clean, once for all steps, or noised to the level of each "
        "(default: the model's)",
    )


def asked(options: argparse.Namespace) -> dict[str, Any]:
    """What was given of them, by the names of :class:`geco.sampling.Steering`."""
    given = {name: getattr(options, name, None) for name in ASKED}
    return {name: value for name, value in given.items() if value is not None}
