"""The objects of the folders that a command names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from geco.errors import ConfigError

if TYPE_CHECKING:
    from geco.data.objects import ObjectSource


def find(folders: list[Path], links: list[Path]) -> list[list[ObjectSource]]:
    """The objects of every folder, by :func:`geco.data.objects.find_in_folders`.

    Raises:
        ConfigError: a folder is none, or there is no object in any.
    """
    from geco.data.objects import find_in_folders

    for folder in (*folders, *links):
        if not folder.is_dir():
            raise ConfigError(f"{folder} is not a folder", "Give folders that hold objects.")
    found = find_in_folders(folders, links)
    if not any(found):
        raise ConfigError(
            f"no objects in {', '.join(map(str, folders))}", "Known files: .glb .gltf .obj .ply .stl .zip."
        )
    return found
