"""A run's state as every process's pieces of it, by torch.distributed.checkpoint; any other number of
processes reads it again, each its own pieces, tensor by tensor into the memory where they are used.

    RUN/checkpoint-00000100/facts.json    step, time, settings, totals, loss scale
    RUN/checkpoint-00000100/.metadata     which tensors there are, and where
    RUN/checkpoint-00000100/*.distcp      the pieces

The folder has another name until it is whole; the one before is removed after that.
"""

from __future__ import annotations

import contextlib
import json
import pickle
import re
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from geco.errors import OutputError, WeightsError
from geco.files import atomic_write, is_write_failure, writing
from geco.json_text import read_json
from geco.training.average import MovingAverage
from geco.training.machine import Machine
from geco.training.run_folder import PIECES
from geco.training.sharding import local, piece_like
from geco.training.task import Part

NAME = re.compile(rf"^{PIECES}(\d{{8}})$")
PARTIAL = ".checkpoint.part"
FACTS, TABLE = "facts.json", ".metadata"
MOST = 1 << 24  # bytes of either
# What the table of tensors may be made of; unpickling anything else could run it.
KNOWN = {
    "torch.distributed.checkpoint.metadata": {
        "Metadata",
        "TensorStorageMetadata",
        "TensorProperties",
        "ChunkStorageMetadata",
        "MetadataIndex",
        "StorageMeta",
        "_MEM_FORMAT_ENCODING",
    },
    "torch.distributed.checkpoint.filesystem": {"_StorageInfo"},
    "torch.serialization": {"_get_layout"},
    "pathlib": {"PosixPath", "WindowsPath"},
}


def newest(run: Path) -> Path | None:
    """The whole checkpoint of the most steps in a run folder; None where there is none."""
    found = [path for path in run.glob(f"{PIECES}*") if NAME.match(path.name)]
    return max(found, default=None)


def steps_of(path: Path) -> int:
    """Of a checkpoint's folder, by its name."""
    return int(path.name.rpartition("-")[2])


def save(
    run: Path,
    facts: Mapping[str, Any],
    parts: Sequence[Part],
    averages: Sequence[MovingAverage | None],
    machine: Machine,
) -> None:
    """Write the state after ``facts["step"]`` steps; every process calls.

    Raises:
        OutputError: one of them cannot write; all say so.
    """
    import torch.distributed.checkpoint as dcp

    tensors: dict[str, Tensor] = {}
    for part, average in zip(parts, averages):
        tensors |= _weights(part, average)
        for number, optimizer in enumerate(part.optimizers):
            for at, parameter in enumerate(_parameters(optimizer)):
                state = optimizer.state.get(parameter, {})
                tensors |= {f"{part.name}/optimizers/{number}/{at}/{key}": state[key] for key in state}
    updates = {part.name: average.updates for part, average in zip(parts, averages) if average}
    partial, target = run / PARTIAL, run / f"{PIECES}{facts['step']:08}"
    if machine.leads:
        with writing(target):
            _remove(partial)
            partial.mkdir()
            text = json.dumps({**facts, "updates": updates, "parts": [part.name for part in parts]})
            atomic_write(partial / FACTS, text.encode())
    machine.wait()
    with _told(target):
        dcp.save(tensors, storage_writer=dcp.FileSystemWriter(partial), no_dist=machine.world == 1)
    machine.wait()
    if machine.leads:
        older = [path for path in run.glob(f"{PIECES}*") if path != target]
        with writing(target):
            _remove(target)  # of a run that was prolonged by nothing
            partial.rename(target)
            for path in older:
                _remove(path)
    machine.wait()


def forget(run: Path) -> None:
    """Remove all of a run folder's: a newer state has another form."""
    with writing(run):
        for path in (*run.glob(f"{PIECES}*"), run / PARTIAL):
            _remove(path)


def read_facts(path: Path, parts: Sequence[Part]) -> dict[str, Any]:
    """What :func:`save` was told; WeightsError where it is not a checkpoint of these parts."""
    found = read_json(path / FACTS, WeightsError, most=MOST)
    if not isinstance(found, dict) or not isinstance(found.get("step"), int):
        raise WeightsError(f"{path / FACTS} does not describe a checkpoint", "Delete it to start again.")
    names = [part.name for part in parts]
    if found.get("parts") != names:
        raise WeightsError(
            f"{path} holds the parts {found.get('parts')}, this stage trains {names}",
            "Choose another run folder.",
        )
    return found


def load(
    path: Path, parts: Sequence[Part], averages: Sequence[MovingAverage | None], machine: Machine
) -> None:
    """Read the tensors into place, part by part; every process calls. ``facts.json`` was looked at before.

    Raises:
        WeightsError: the checkpoint is damaged.
    """
    import torch.distributed.checkpoint as dcp

    table = _table(path)
    updates = read_facts(path, parts)["updates"]
    with _told(path):
        for part, average in zip(parts, averages):
            targets = _weights(part, average) | _states(table, part)
            reader = dcp.FileSystemReader(path)
            dcp.load(targets, storage_reader=reader, no_dist=machine.world == 1)
            if average:
                average.updates = int(updates[part.name])
                for name, value in average.values.items():  # on the host these were copies
                    value.copy_(local(targets[f"{part.name}/average/{name}"]))


def _weights(part: Part, average: MovingAverage | None) -> dict[str, Tensor]:
    """Tensors that share their memory with the network and its average, by name."""
    found = {f"{part.name}/network/{name}": value for name, value in part.network.state_dict().items()}
    if average:
        average.wait()
        for name, parameter in part.network.named_parameters():
            found[f"{part.name}/average/{name}"] = piece_like(parameter, average.values[name])
    return found


def _states(table: Mapping[str, Any], part: Part) -> dict[str, Tensor]:
    """Tensors for what each optimiser keeps, made here and given to it; cut as its parameter is where they
    are of that shape.
    """
    found: dict[str, Tensor] = {}
    for number, optimizer in enumerate(part.optimizers):
        for at, parameter in enumerate(_parameters(optimizer)):
            prefix = f"{part.name}/optimizers/{number}/{at}/"
            for name in (name for name in table if name.startswith(prefix)):
                size, dtype = table[name].size, table[name].properties.dtype
                if size == parameter.shape:
                    found[name] = torch.zeros_like(parameter.detach(), dtype=dtype)
                else:  # a count of steps, which lies beside the weights only where one kernel does it all
                    fused = optimizer.defaults.get("fused") or optimizer.defaults.get("capturable")
                    found[name] = torch.zeros(size, dtype=dtype, device=parameter.device if fused else "cpu")
                optimizer.state[parameter][name.removeprefix(prefix)] = found[name]
    return found


def _parameters(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


class _Table(pickle.Unpickler):
    """Makes nothing but a table of tensors."""

    def find_class(self, module: str, name: str) -> Any:
        plain = module == "torch" and (name == "Size" or isinstance(getattr(torch, name, None), torch.dtype))
        if plain or name in KNOWN.get(module, ()):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it holds {module}.{name}")


def _table(path: Path) -> dict[str, Any]:
    """Size and properties of every tensor by its name; WeightsError."""
    try:
        if (path / TABLE).stat().st_size > MOST:
            raise ValueError("it is too large")
        with (path / TABLE).open("rb") as file:
            found = _Table(file).load()
        return dict(found.state_dict_metadata)
    except Exception as error:  # a damaged pickle fails in every way that Python has
        raise WeightsError(
            f"{path / TABLE} is not a table of tensors ({type(error).__name__}: {error})",
            "Delete the folder to start again.",
        ) from error


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """What fails in one process fails in all; as an error of ours that names the first one's reason."""
    from torch.distributed.checkpoint.api import CheckpointException

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="torch.distributed is disabled")  # one process
            yield
    except CheckpointException as error:
        rank, (first, _) = next(iter(error.failures.items()))
        why = f"process {rank}: {type(first).__name__}: {next(iter(str(first).splitlines()), '')}"
        if is_write_failure(first):
            raise OutputError(f"cannot write {path}: {why}", "Free some space, or choose another.") from error
        raise WeightsError(
            f"the checkpoint {path} is damaged, or of another version ({why})", "Delete it to start again."
        ) from error


def _remove(path: Path) -> None:
    if path.exists():
        shutil.rmtree(path)
