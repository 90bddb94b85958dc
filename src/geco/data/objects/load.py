"""One file to one normalised object, or to the reason why not."""

from __future__ import annotations

import contextlib
import errno
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from geco.data.objects.archive import extracted
from geco.data.objects.folder import Folder
from geco.data.objects.glb import read_gltf
from geco.data.objects.limits import Limits
from geco.data.objects.normalise import normalise
from geco.data.objects.obj import read_obj
from geco.data.objects.ply import read_ply
from geco.data.objects.refusal import ObjectError, Reason
from geco.data.objects.soup import Soup, Up
from geco.data.objects.stl import read_stl
from geco.data.objects.types import TexturedObject
from geco.errors import OutputError

MESH_SUFFIXES = (".glb", ".gltf", ".obj", ".ply", ".stl")
SUFFIXES = (*MESH_SUFFIXES, ".zip")

# What parsing hostile bytes raises in the standard library, numpy and Pillow; anything else is a bug of ours.
_BROKEN = (
    *(KeyError, IndexError, ValueError, TypeError, AttributeError, OverflowError, RecursionError),
    *(struct.error, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError, EOFError, OSError),
)

# A full disk while unpacking, too many open files: the machine's fault, and the object must not be marked for it.
_OURS = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE)


def load_object(path: str | Path, limits: Limits | None = None, up: Up | None = None) -> TexturedObject:
    """Read and normalise one .glb, .gltf, .obj (with its .mtl), .ply, .stl, or a .zip with exactly one of them.

    Args:
        path: files that it names are read from its own folder only.
        limits: how much it may ask for.
        up: the file's upward axis; by default "y" for glTF and OBJ (front on +z), "z" for PLY and STL (front on +x).

    Raises:
        ObjectError: it cannot be used; ``.reason`` says why in one word (:class:`Reason`).
        MissingExtraError: .ply needs the extra ``data``.
        OutputError: the disk is full or too many files are open; nothing is said about the object.
    """
    path, limits = Path(path), limits or Limits()
    with _refusals(path.name), np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused as not finite
        if not path.is_file():
            raise ObjectError(Reason.MISSING, f"{path.name}: no such file")
        size = path.stat().st_size
        if size > limits.file_bytes:
            raise ObjectError(Reason.TOO_LARGE, f"{path.name}: {size >> 20} MiB, more than {limits.file_bytes >> 20}")
        if path.suffix.lower() == ".zip":
            with extracted(path, MESH_SUFFIXES, limits) as (root, inner):
                name = f"{path.name}/{inner.name}"
                return normalise(_read(inner, Folder(root, name, limits, search=True), limits), name, limits, up)
        return normalise(_read(path, Folder(path.parent, path.name, limits), limits), path.name, limits, up)


def _read(path: Path, folder: Folder, limits: Limits) -> Soup:
    match path.suffix.lower():
        case ".glb" | ".gltf":
            return read_gltf(path, folder, limits)
        case ".obj":
            return read_obj(path, folder, limits)
        case ".ply":
            return read_ply(path, folder, limits)
        case ".stl":
            return read_stl(path, folder, limits)
    raise ObjectError(Reason.UNSUPPORTED, f"{folder.name}: not one of {', '.join(SUFFIXES)}")


@contextlib.contextmanager
def _refusals(name: str) -> Iterator[None]:
    """Turn what broken bytes raise into the one error with a reason."""
    try:
        yield
    except MemoryError as error:
        raise ObjectError(Reason.TOO_LARGE, f"{name}: does not fit into memory") from error
    except _BROKEN as error:
        if isinstance(error, OSError) and error.errno in _OURS:
            raise OutputError(f"cannot read {name}: {error.strerror}", "Free some space or close some files.") from error
        raise ObjectError(Reason.BROKEN, f"{name}: broken ({type(error).__name__}: {str(error)[:200]})") from error
