"""Who speaks where several processes run one command (``torchrun``): of those that end, the first one."""

from __future__ import annotations

import os
import re
import sys
import time
from typing import Any

WAIT = 3.0  # seconds; the launcher ends the others some tenths after the first
# What a process says whose message did not arrive, as the one that it was for has ended.
_GONE = re.compile(
    r"closed by peer|reset by peer|Broken pipe|gloo|NCCL|TCPStore|ProcessGroup|failed to recv", re.IGNORECASE
)


def speaks(patient: bool = True) -> bool:
    """Whether this process says why it ends. One by itself always does.

    Args:
        patient: before the processes know of each other the machine's first one speaks; another waits to be
            ended with it, and speaks if it is not.
    """
    if not _several():
        return True
    group = _group()
    if group is None:
        return _is_first() or (patient and _is_left_alone())
    try:
        return int(group.distributed_c10d._get_default_store().add("geco/said", 1)) == 1
    except Exception:  # the store has gone with the process that held it
        return True


def is_others_end(error: BaseException) -> bool:
    """Whether ``error`` only says that another process of the training has ended."""
    return _several() and _group() is not None and _GONE.search(f"{type(error).__name__} {error}") is not None


def _several() -> bool:
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def _is_first() -> bool:
    return os.environ.get("LOCAL_RANK", "0") == "0"


def _group() -> Any:
    """torch.distributed, once the processes have found each other."""
    found: Any = sys.modules.get("torch.distributed")
    return found if found is not None and found.is_available() and found.is_initialized() else None


def _is_left_alone() -> bool:
    try:
        time.sleep(WAIT)
    except KeyboardInterrupt:
        return False
    return True
