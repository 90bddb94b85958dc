"""One file to one normalised object, or to the reason why not."""

from __future__ import annotations

import contextlib
import errno
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from geco.data.objects.archive import opened
from geco.data.objects.folder import Folder
from geco.data.objects.glb import read_gltf
from geco.data.objects.limits import Limits
from geco.data.objects.normalise import normalise
from geco.data.objects.obj import read_obj
from geco.data.objects.ply import read_ply
from geco.data.objects.refusal import ObjectError, Reason
from geco.data.objects.soup import Soup, Up
from geco.data.objects.stl import read_stl
from geco.data.objects.storage import Disk, is_regular
from geco.data.objects.types import TexturedObject
from geco.errors import OutputError

MESH_SUFFIXES = (".glb", ".gltf", ".obj", ".ply", ".stl")
SUFFIXES = (*MESH_SUFFIXES, ".zip")

# What parsing hostile bytes raises in the standard library, numpy and Pillow; anything else is a bug of ours.
_BROKEN = (
    *(KeyError, IndexError, ValueError, TypeError, AttributeError, OverflowError, RecursionError),
    *(struct.error, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError, EOFError, OSError),
)

# Too many open files, a full disk: the machine's fault, and the object must not be marked for it.
_OURS = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE)


def load_object(
    path: str | Path,
    limits: Limits | None = None,
    up: Up | None = None,
    *,
    root: str | Path | None = None,
    links: Sequence[Path] = (),
) -> TexturedObject:
    """Read and normalise one .glb, .gltf, .obj (with its .mtl), .ply, .stl, or a .zip with exactly one of
    them.

    Args:
        limits: how much it may ask for.
        up: the file's upward axis; by default "y" for glTF and OBJ (front on +z), "z" for PLY and STL (front
            on +x).
        root: a folder above the file; files that it names are read from there only. By default its own
            folder.
        links: further folders that links below ``root`` may lead into.

    Raises:
        ObjectError: it cannot be used; ``.reason`` says why in one word (:class:`Reason`).
        MissingExtraError: .ply needs the extra ``data``.
        OutputError: too many files are open, or the disk is full; nothing is said about the object.
    """
    path, limits = Path(path), limits or Limits()
    root = path.parent if root is None else Path(root)
    with _refusals(path.name), np.errstate(all="ignore"):  # what overflows is refused as not finite
        if not path.is_relative_to(root) or ".." in path.relative_to(root).parts:
            raise ObjectError(Reason.UNSAFE_PATH, f"{path.name}: lies outside the folder that was given")
        if not is_regular(path):
            raise ObjectError(Reason.MISSING, f"{path.name}: no such file")
        size = path.stat().st_size
        if size > limits.file_bytes:
            raise ObjectError(
                Reason.TOO_LARGE, f"{path.name}: {size >> 20} MiB, more than {limits.file_bytes >> 20}"
            )
        if path.suffix.lower() == ".zip":
            with opened(path, MESH_SUFFIXES, limits) as (archive, inner):
                name = f"{path.name}/{inner.rpartition('/')[2]}"
                return _made(Folder(archive, inner, name, limits, MESH_SUFFIXES), up)
        disk = Disk(root, links, limits.search_files)
        own = path.relative_to(root).as_posix()
        return _made(Folder(disk, own, path.name, limits, SUFFIXES), up)


def _made(folder: Folder, up: Up | None) -> TexturedObject:
    return normalise(_read(folder), folder.name, folder.limits, up, folder.tick)


def _read(folder: Folder) -> Soup:
    match folder.own.rpartition(".")[2].lower():
        case "glb" | "gltf":
            return read_gltf(folder)
        case "obj":
            return read_obj(folder)
        case "ply":
            return read_ply(folder)
        case "stl":
            return read_stl(folder)
    raise ObjectError(Reason.UNSUPPORTED, f"{folder.name}: not one of {', '.join(SUFFIXES)}")


@contextlib.contextmanager
def _refusals(name: str) -> Iterator[None]:
    """Turn what broken bytes raise into the one error with a reason."""
    try:
        yield
    except MemoryError as error:
        raise ObjectError(
            Reason.TOO_LARGE, f"{name}: does not fit into memory", "Simplify it, or raise --memory."
        ) from error
    except _BROKEN as error:
        if isinstance(error, OSError) and error.errno in _OURS:
            raise OutputError(
                f"cannot read {name}: {error.strerror}", "Free some space or close some files."
            ) from error
        raise ObjectError(
            Reason.BROKEN, f"{name}: broken ({type(error).__name__}: {str(error)[:200]})"
        ) from error
