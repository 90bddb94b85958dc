"""The options that name a model and where it runs, said alike by every command that takes them."""

from __future__ import annotations

from typing import Any

NAMES = "a model folder, the name of a public model (geco get lists them), or a hub id"


def add(group: Any, several: bool = False) -> None:
    """Add ``--model`` and ``--device``; ``several``: the model may be given more than once."""
    if several:
        about = "; may be given several times, the first is the default of requests"
        group.add_argument(
            "--model", action="append", metavar="NAME|DIR", help=f"small (embedded), {NAMES}{about}"
        )
    else:
        add_model(group)
    group.add_argument(
        "--device",
        help="cpu, cuda, cuda:1 or mps, with a number format if wanted: cuda,bf16; the full family also with "
        "graphs, compiled, offload or tiled (docs/full-size-speed.md). Models with graphs also on directml, "
        "coreml, openvino (see geco info). Default: the CPU for models with graphs, else the best there is",
    )


def add_model(group: Any) -> None:
    """Add ``--model`` alone."""
    group.add_argument(
        "--model", default="small", metavar="NAME|DIR", help=f"small (embedded, the default), {NAMES}"
    )
