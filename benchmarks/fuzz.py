"""Generated and mutated inputs through the real code: ``python -m benchmarks.fuzz KIND --count N --seed S``.

KIND is pictures, objects, weights or requests. Each input is made from (seed, number) alone and tried in a
worker process with limits; right is a result, or an error of ours. One JSON line at the end: how many of each
outcome, what went wrong where and with which inputs, the slowest, and the memory of the workers. Exit code 1
if anything did.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.fuzzing.attempt import KINDS, Attempt, innermost, make, stack_of
from benchmarks.fuzzing.tally import WRONG, Tally
from geco.processes import Bounds, Outcome, Workers
from geco.version import __version__

PROGRESS_SECONDS = 5.0


def main(argv: list[str] | None = None) -> int:
    """Run, print the line, and say whether all went well."""
    options = parser().parse_args(argv)
    numbers = (
        [options.only] if options.only is not None else range(options.start, options.start + options.count)
    )
    tally, progress = Tally(), Progress(len(numbers))
    try:
        for row in rows(options, numbers):
            tally.add(row)
            if row["outcome"] in WRONG or options.only is not None:
                _tell(options, row)
            progress.tell(tally)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
    print(json.dumps(line(options, tally, numbers, progress.seconds)), flush=True)
    return 1 if tally.wrong else 0


def parser() -> argparse.ArgumentParser:
    """The arguments."""
    found = argparse.ArgumentParser(prog="benchmarks.fuzz", description=(__doc__ or "").split("\n")[0])
    found.add_argument("kind", choices=KINDS)
    found.add_argument("--count", type=_positive, default=100, help="inputs")
    found.add_argument("--seed", type=int, default=0, help="of the set of inputs")
    found.add_argument(
        "--start", type=int, default=0, metavar="I", help="the first input's number, to go on with a set"
    )
    found.add_argument("--only", type=int, metavar="I", help="try this input alone and show its traceback")
    found.add_argument("--workers", type=_positive, default=2)
    found.add_argument("--keep", type=Path, metavar="DIR", help="save the inputs that went wrong there")
    found.add_argument("--seconds", type=float, default=10.0, help="of processor time an input")
    found.add_argument("--memory", type=float, default=2.0, help="GiB a worker")
    found.add_argument(
        "--patience",
        type=float,
        default=1.0,
        help="times --seconds that may pass on the clock (on a machine with other work)",
    )
    return found


def rows(options: argparse.Namespace, numbers: Sequence[int]) -> Iterator[dict[str, Any]]:
    """What became of each input, as they finish."""
    bounds = Bounds(options.seconds * options.patience, options.memory)
    with tempfile.TemporaryDirectory(prefix="geco-fuzz-") as folder:
        attempt = Attempt(options.kind, options.seed, folder, options.seconds)
        with Workers(attempt, min(options.workers, len(numbers)), bounds) as pool:
            for outcome in pool.run((str(number), number) for number in numbers):
                yield outcome.value if outcome.reason is None else _lost(outcome, Path(folder))


def _lost(outcome: Outcome, folder: Path) -> dict[str, Any]:
    """A row for an input whose worker could not report."""
    index = int(outcome.key)
    stack = stack_of(folder, index)
    known = {"where": innermost(stack), "message": outcome.message, "traceback": stack}
    return {"outcome": outcome.reason or "error", "index": index, **known}


def line(options: argparse.Namespace, tally: Tally, numbers: Sequence[int], seconds: float) -> dict[str, Any]:
    """The JSON of a run."""
    run = {
        "benchmark": "fuzz",
        "kind": options.kind,
        "seed": options.seed,
        "start": numbers[0],
        "count": len(numbers),
    }
    return {
        **run,
        "version": __version__,
        "workers": options.workers,
        "wall_seconds": round(seconds, 1),
        **tally.summary(),
    }


def _tell(options: argparse.Namespace, row: dict[str, Any]) -> None:
    """What went wrong, on standard error; the input is saved where that was asked for."""
    kind, seed, index = options.kind, options.seed, row["index"]
    print(f"{kind} {index}: {row['outcome']} {row.get('type', '')} {row.get('message', '')}", file=sys.stderr)
    if options.only is not None:
        print(f"{row.get('traceback', '')}\n{make(kind, seed, index).about}", file=sys.stderr)
        print(json.dumps({key: value for key, value in row.items() if key != "traceback"}), file=sys.stderr)
    if options.keep and row["outcome"] != "generator":
        make(kind, seed, index).save(options.keep / f"{kind}-{seed}-{index}")


class Progress:
    """A line on standard error every few seconds."""

    def __init__(self, count: int) -> None:
        self.count, self.started, self.told = count, time.monotonic(), 0.0

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self.started

    def tell(self, tally: Tally) -> None:
        """Where the run stands."""
        now, done = time.monotonic(), sum(tally.outcomes.values())
        if now - self.told < PROGRESS_SECONDS and done < self.count:
            return
        self.told = now
        rate = f"{done / max(self.seconds, 1e-9):.1f} a second"
        print(
            f"{done}/{self.count}, {rate}, {tally.wrong} wrong, {dict(tally.outcomes)}",
            file=sys.stderr,
            flush=True,
        )


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return value


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):  # the first is not caught in a shell's background
        signal.signal(number, signal.default_int_handler)
    sys.exit(main())
