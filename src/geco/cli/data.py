"""``geco data``: from folders of objects to shards of views and labels, and what is in them."""

from __future__ import annotations

import argparse
from typing import Any

from geco.cli import (
    data_encode,
    data_info,
    data_label,
    data_objaverse,
    data_pack,
    data_procedural,
    data_render,
)


def add(commands: Any) -> None:
    """Add ``geco data`` and its own commands."""
    command: argparse.ArgumentParser = commands.add_parser(
        "data", help="folders of objects into training views and labels"
    )
    inner = command.add_subparsers(dest="data_command", metavar="COMMAND", required=True)
    for module in (
        data_render,
        data_info,
        data_procedural,
        data_objaverse,
        data_pack,
        data_label,
        data_encode,
    ):
        module.add(inner)
