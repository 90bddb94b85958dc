"""An exported model's folder: its card, its files checked, and ONNX Runtime sessions opened quickly."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NotImplemented

from geco.errors import WeightsError

FORMAT = "geco-onnx-1"
CARD = "config.json"
_REMEDY = "Install geco3d again, or export the model again."


def read_card(folder: Path) -> dict[str, Any]:
    """The exported model's config.json; WeightsError if it is missing, damaged or something else."""
    path = folder / CARD
    if not path.is_file():
        raise WeightsError(f"{path} does not exist", "Give a folder written by the exporter.")
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} is not readable JSON: {error}", _REMEDY) from error
    if not isinstance(card, dict) or card.get("format") != FORMAT:
        raise WeightsError(f"{path} does not describe an exported model", "Give a folder written by the exporter.")
    return card


def read_checked(folder: Path, name: str, card: Mapping[str, Any]) -> bytes:
    """A file of the folder, of the size and SHA-256 that the card says; WeightsError naming what is wrong."""
    path = folder / name
    facts = card.get("files", {}).get(name)
    if facts is None:
        raise WeightsError(f"{folder / CARD} does not list {name}", _REMEDY)
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise WeightsError(f"weights file {path} is missing", _REMEDY) from error
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror or error}", _REMEDY) from error
    if len(data) != facts["bytes"]:
        what = "truncated" if len(data) < facts["bytes"] else "too long"
        raise WeightsError(f"weights file {path} is {what}: {len(data)} bytes instead of {facts['bytes']}", _REMEDY)
    if hashlib.sha256(data).hexdigest() != facts["sha256"]:
        raise WeightsError(f"weights file {path} is damaged: its SHA-256 is not that of {CARD}", _REMEDY)
    return data


def physical_cores() -> int:
    """Cores this process may use, hyper-threads counted once where Linux tells."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    siblings = set()
    for cpu in allowed:
        path = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        siblings.add(path.read_text() if path.is_file() else str(cpu))
    return max(1, len(siblings))


class Network:
    """One exported graph. Calling it with named arrays gives its outputs in order.

    Args:
        folder, name: the file; card: the folder's.
        threads: of one operator; None takes the physical cores.
        providers: ONNX Runtime's execution providers, best first.
        once: run once a picture, so that opening fast (fewer optimisations) is worth more than running fast.

    Raises:
        WeightsError: the file is missing, truncated, damaged or no graph of this version of ONNX Runtime.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        card: Mapping[str, Any],
        threads: int | None = None,
        providers: tuple[str, ...] | None = None,
        once: bool = False,
    ) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or physical_cores()
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # fatal: errors come as exceptions, not as lines on the terminal too
        if once:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        data = read_checked(folder, name, card)
        try:
            chosen = list(providers or ("CPUExecutionProvider",))
            # Without ONNX Runtime's own second try, which prints to standard output.
            self._session = onnxruntime.InferenceSession(data, options, providers=chosen, enable_fallback=0)
        except (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NotImplemented) as error:
            raise WeightsError(
                f"ONNX Runtime cannot load {folder / name}: {error}", "Update onnxruntime, or export again."
            ) from error
        self.inputs = [item.name for item in self._session.get_inputs()]

    def __call__(self, **arrays: NDArray[Any]) -> list[NDArray[np.float32]]:
        return list(self._session.run(None, arrays))
