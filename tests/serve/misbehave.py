"""A real pipeline that, for seeds set apart, does what a hostile picture might make it do: crash,
hang, eat memory, fail.
"""

from __future__ import annotations

import ctypes
import os
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from geco.asset import Asset
from geco.errors import InputImageError, WeightsError
from geco.pipeline import GecoPipeline
from geco.seen import Views

SEGFAULT, HANG, MEMORY, BUG, LEAK, EXIT, FOREIGN = range(9_000_001, 9_000_008)
SECRET = "/home/operator/secret/model.onnx"


class Misbehaving(GecoPipeline):
    """Good for every other seed."""

    def __call__(self, picture: Any, seed: int = 0, *more: Any, **named: Any) -> Asset:
        _misbehave(seed)
        return super().__call__(picture, seed, *more, **named)

    def best(self, views: Iterable[Views], *more: Any, **named: Any) -> Asset:
        drawn = list(views)
        for each in drawn:
            _misbehave(each.seed)
        return super().best(drawn, *more, **named)


def _misbehave(seed: int) -> None:
    if seed == SEGFAULT:
        ctypes.string_at(0)
    elif seed == HANG:
        time.sleep(1000)
    elif seed == MEMORY:
        np.ones(1 << 35, np.uint8)
    elif seed == BUG:
        raise KeyError(SECRET)
    elif seed == LEAK:
        raise WeightsError(f"{SECRET} is damaged", "Export it again.")
    elif seed == EXIT:
        os._exit(3)
    elif seed == FOREIGN:
        raise InputImageError("模型\x00 is no picture\r\nX-Evil: 1", "\u2028")


def load() -> GecoPipeline:
    """The embedded model, misbehaving, in a process without any folder for temporary files."""
    tempfile.tempdir = "/nowhere"
    return Misbehaving(GecoPipeline.from_pretrained("small").backend)


class LoadOnce:
    """Loads the first time only: afterwards, no worker starts any more until the file is gone."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __call__(self) -> GecoPipeline:
        if self.mark.exists():
            raise WeightsError("the model is gone", "Bring it back.")
        self.mark.touch()
        return load()
