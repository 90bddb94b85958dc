"""``geco serve``: the pipeline behind a REST API and a web page."""

from __future__ import annotations

import argparse
from typing import Any


def add(commands: Any) -> None:
    """Add the command's arguments."""
    command: argparse.ArgumentParser = commands.add_parser("serve", help="a REST API and a web page (extra: web)")
    command.add_argument("--model", default="small", metavar="NAME|DIR", help="small (embedded), a model folder, or a hub id")
    command.add_argument("--device", help="cpu, cuda, mps, for models that run on torch")
    command.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    command.add_argument("--port", type=int, default=8000, help="default 8000")
    command.set_defaults(function=run)


def run(options: argparse.Namespace) -> int:
    """Load the model, then serve until interrupted."""
    from geco.pipeline import GecoPipeline
    from geco.serve import serve

    serve(GecoPipeline.from_pretrained(options.model, options.device), options.host, options.port)
    return 0
