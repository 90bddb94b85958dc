"""What stands for a library that ComfyUI imports at its start and that nothing here calls: every name can be
imported, and none be used.
"""

from __future__ import annotations

import sys
import types
from typing import Any


def named(name: str) -> Any:
    """A class of that name, which refuses to be made."""
    if name.startswith("__"):
        raise AttributeError(name)
    return type(name, (), {"__init__": _refuse})


def inner(name: str) -> types.ModuleType:
    """A module inside such a library."""
    module = types.ModuleType(name)
    module.__getattr__ = named  # type: ignore[method-assign]
    sys.modules[name] = module
    return module


def _refuse(self: object, *_: object, **__: object) -> None:
    raise NotImplementedError(f"{type(self).__name__} is a stand-in of the tests")
