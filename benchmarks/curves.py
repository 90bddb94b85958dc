"""A run's curves drawn anew: ``python -m benchmarks.curves RUN_DIR`` writes its curves.png from log.jsonl.

Training draws them at every report; this is for runs of an earlier version or a log that was put together.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from geco.errors import ConfigError
from geco.training.curves import write_curves


def main() -> None:
    parser = argparse.ArgumentParser(description="draw a run's curves.png from its log.jsonl")
    parser.add_argument("folder", type=Path, metavar="RUN_DIR")
    folder = parser.parse_args().folder
    path = write_curves(folder)
    if path is None:
        raise ConfigError(f"{folder / 'log.jsonl'} holds nothing to draw", "Give the folder of a run.")
    print(path)


if __name__ == "__main__":
    main()
