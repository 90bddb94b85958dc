"""Every shard of a folder labelled, in processes of its own; what is done is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from geco.data.dataset.grid import EXTRA, TARGETS
from geco.data.dataset.needs import require
from geco.data.dataset.pictures import Pictures
from geco.data.labels.carve import label_object
from geco.data.labels.files import is_labelled, keys_of, shard_names, write_labels
from geco.data.shards import Shards
from geco.errors import OutputError
from geco.locks import locked
from geco.processes import Bounds, Workers

LOCK = ".labels.lock"
SHARD_SECONDS = 3600.0  # at most, for one shard


def unlabelled(folder: Path, seed: int = 0) -> list[str]:
    """The shards of a folder that have no labels of this seed.

    Raises:
        ConfigError: the folder holds no finished shards, or shards without the depth maps that this needs.
    """
    shards = Shards(folder)
    require(shards, "labelling points", (TARGETS, EXTRA), ("rgba", "depth"))
    return [shard for shard in shard_names(shards) if not is_labelled(shards, shard, seed)]


def label_shards(
    folder: Path, seed: int = 0, report: Callable[[str], None] = lambda line: None, workers: int = 1
) -> int:
    """Label every shard of a folder that is not labelled yet, in so many processes; returns how many were.

    Args:
        report: is given a line for each shard, once it is done.

    Raises:
        ConfigError: as :func:`unlabelled`.
        OutputError: the folder cannot be written, or another process is labelling it.
    """
    if not unlabelled(folder, seed):
        return 0
    with locked(folder, LOCK):
        return _label(folder, unlabelled(folder, seed), seed, report, workers)


def _label(folder: Path, pending: list[str], seed: int, report: Callable[[str], None], workers: int) -> int:
    label = _LabelShard(folder, seed)
    if min(workers, len(pending)) < 2:
        for shard in pending:
            label(shard)
            report(f"{shard} labelled")
        return len(pending)
    with Workers(label, min(workers, len(pending)), Bounds(SHARD_SECONDS, memory_gb=0)) as pool:
        for outcome in pool.run((shard, shard) for shard in pending):
            if outcome.reason:
                raise OutputError(
                    f"cannot label {folder / outcome.key}: {outcome.message}",
                    "Start again; what is done is kept.",
                )
            report(f"{outcome.key} labelled")
    return len(pending)


@dataclass(frozen=True)
class _LabelShard:
    """A worker's job."""

    folder: Path
    seed: int

    def __call__(self, shard: str) -> None:
        shards = Shards(self.folder)
        pictures = Pictures(shards)
        write_labels(
            shards,
            shard,
            [label_object(pictures, key, self.seed) for key in keys_of(shards, shard)],
            self.seed,
        )
