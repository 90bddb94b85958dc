"""What a model takes of the disk: said before it is fetched, and refused where there is not that much."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from geco.errors import OutputError
from geco.model_files.download import Listing
from geco.model_files.products import GB

SPARE = 0.1 * GB  # bytes beyond what is needed: locks, listings, the pictures of the next minute


def check_disk(name: str, listings: Sequence[Listing], kept: int, folder: Path) -> None:
    """Say what a model needs on standard error, and compare it with what is free.

    Args:
        name: of the model.
        listings: what will be fetched into the hub's cache.
        kept: bytes of the model's folder, at most.
        folder: of the model.

    Raises:
        OutputError: there is not that much.
    """
    from huggingface_hub import constants

    cache = Path(constants.HF_HUB_CACHE)
    to_fetch = sum(found.to_fetch() for found in listings)
    free = _free(folder)
    said = f"{_size(to_fetch)} to fetch into {cache}, {_size(kept)} for {folder}"
    print(f"disk: {said}; {_size(free)} are free", file=sys.stderr)
    together = with_cache(folder)
    needs = [(folder, kept + (to_fetch if together else 0), free)]
    needs += [] if together else [(cache, to_fetch, _free(cache))]
    for place, need, there in needs:
        if need + SPARE > there:
            raise OutputError(
                f"{name} needs {_size(need)} of disk at {place}, where {_size(there)} are free",
                "Free some, or choose other places: -o DIR for the model, HF_HOME for what is fetched.",
            )


def with_cache(folder: Path) -> bool:
    """Whether a folder is, or will be, on the disk of the hub's cache."""
    from huggingface_hub import constants

    return _device(Path(constants.HF_HUB_CACHE)) == _device(folder)


def _size(bytes_: float) -> str:
    return f"{bytes_ / GB:.1f} GB" if bytes_ >= GB / 10 else f"{bytes_ / 1e6:.1f} MB"


def _free(place: Path) -> int:
    return shutil.disk_usage(_existing(place)).free


def _device(place: Path) -> int:
    return os.stat(_existing(place)).st_dev


def _existing(place: Path) -> Path:
    place = place.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    return place
