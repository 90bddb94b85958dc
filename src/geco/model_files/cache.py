"""The user's cache folder, where fetched models are kept as model folders."""

from __future__ import annotations

import os
from pathlib import Path

from geco.errors import WeightsError


def user_cache() -> Path:
    """``geco`` in XDG_CACHE_HOME, else in ``~/.cache``; it need not be there.

    Raises:
        WeightsError: there is no home to have one.
    """
    if named := os.environ.get("XDG_CACHE_HOME"):
        return Path(named) / "geco"
    try:
        return Path.home() / ".cache" / "geco"
    except RuntimeError as error:
        raise WeightsError(
            "there is no home folder to keep a converted model in",
            "Set XDG_CACHE_HOME, or give a place: geco get NAME -o DIR.",
        ) from error
