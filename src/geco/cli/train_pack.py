"""``geco train pack`` and ``geco train unpack``: a run's state in small files, to go on with on
another machine.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from geco.errors import ConfigError

MIB = 2**20
SMALLEST, LARGEST = 1, 2048  # MiB of a part


def add(stages: Any) -> None:
    """Add both beside the stages of ``geco train``."""
    command: argparse.ArgumentParser = stages.add_parser(
        "pack",
        help="a run's last checkpoint in small files, to carry to another machine",
        description="Write the last checkpoint of a run as files of a bounded size: weights and their "
        "average in "
        "float16, Muon's momentum in 8 bits. A training that goes on from it is not bit for bit the "
        "same.",
        epilog="Example: geco train pack runs/teacher -o state; there: geco train unpack state -o "
        "runs/teacher; "
        "geco train teacher -o runs/teacher --resume ...",
    )
    command.add_argument("run", type=Path, metavar="RUN_DIR", help="a run that has a checkpoint")
    command.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="new or empty")
    command.add_argument(
        "--part-mib", type=int, default=15, metavar="N", help="largest file in MiB (default: 15)"
    )
    command.set_defaults(function=pack)
    command = stages.add_parser(
        "unpack",
        help="a packed state as a run folder, for --resume",
        description="Write what geco train pack wrote as a run folder that --resume goes on with.",
    )
    command.add_argument("packed", type=Path, metavar="FOLDER", help="written by geco train pack")
    command.add_argument(
        "-o", "--output", type=Path, required=True, metavar="RUN_DIR", help="holds no run yet"
    )
    command.set_defaults(function=unpack)


def pack(options: argparse.Namespace) -> int:
    """The run's state as small files."""
    if not SMALLEST <= options.part_mib <= LARGEST:
        raise ConfigError(
            f"--part-mib {options.part_mib} is out of range", f"Choose {SMALLEST} to {LARGEST}."
        )
    _need_torch()
    from geco.locks import locked
    from geco.training.compact import pack as write
    from geco.training.run_folder import LOCK

    if not options.run.is_dir():
        raise ConfigError(f"{options.run} is no folder", "Give the folder of a run that has begun.")
    with locked(options.run, LOCK):
        made = write(options.run, options.output, options.part_mib * MIB)
    print(f"{options.output}: {made['bytes'] / MIB:.1f} MiB in {made['parts']} parts")
    return 0


def unpack(options: argparse.Namespace) -> int:
    """A run folder of a packed state."""
    _need_torch()
    from geco.locks import locked
    from geco.training.compact import unpack as write
    from geco.training.run_folder import LOCK

    with locked(options.output, LOCK):
        step = write(options.packed, options.output)
    print(f"{options.output}: a run of {step} steps; go on with --resume")
    return 0


def _need_torch() -> None:
    from geco.errors import MissingExtraError

    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("torch", "torch", "a run's state") from error
