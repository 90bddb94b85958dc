"""GLB files in ComfyUI's output folder: its own numbering, and never over a file."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import folder_paths
from comfy.cli_args import args

from geco import Asset
from geco.errors import OutputError

_MOST = 99_999  # numbers of five digits, as ComfyUI's own


@dataclass(frozen=True)
class Saved:
    """A mesh and its files.

    Attributes:
        path: of the mesh in the output folder, with slashes, as Preview 3D takes it.
        entries: what ComfyUI's history tells: the mesh, and what was asked for beside it.
    """

    asset: Asset
    path: str
    entries: list[dict[str, str]]


@dataclass(frozen=True)
class Place:
    """Where files go, and how they are written.

    Attributes:
        prefix: the user's ``filename_prefix``: folder and name.
        file: further arguments of :meth:`geco.Asset.save`.
        workflow: of :func:`workflow`.
    """

    prefix: str
    file: dict[str, Any]
    workflow: dict[str, str]

    def save(self, asset: Asset) -> Saved:
        """Write one mesh under the next number; raises OutputError, and then nothing is left."""
        root = folder_paths.get_output_directory()
        folder, name, counter, inside, _ = folder_paths.get_save_image_path(self.prefix, root)
        path = _reserved(Path(folder), name, counter)
        asset.facts |= self.workflow
        try:
            files = asset.save(path, **self.file)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        place = {"subfolder": inside.replace(os.sep, "/"), "type": "output"}
        entries = [{"filename": file.name, **place} for file in files]
        return Saved(asset, "/".join(filter(None, (place["subfolder"], path.name))), entries)


def workflow(prompt: Any, extra_pnginfo: Any) -> dict[str, str]:
    """What ComfyUI keeps in its files, to open the workflow again by dropping one; nothing where the user
    wants none (``--disable-metadata``).
    """
    if args.disable_metadata:
        return {}
    kept = {**({} if prompt is None else {"prompt": prompt}), **(extra_pnginfo or {})}
    return {name: json.dumps(value) for name, value in kept.items()}


def _reserved(folder: Path, name: str, counter: int) -> Path:
    """An empty file under the first number from ``counter`` on that nobody has."""
    for number in range(counter, _MOST):
        path = folder / f"{name}_{number:05}_.glb"
        try:
            path.open("xb").close()
        except FileExistsError:
            continue
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error
        return path
    raise OutputError(f"{folder} has no number left for {name}", "Choose another filename_prefix.")
