"""Foreign torch checkpoints, read without running anything in them, and within the memory that
the file itself takes.
"""

from __future__ import annotations

import pickletools
import warnings
import zipfile
from pathlib import Path
from typing import BinaryIO

import torch

from geco.errors import WeightsError
from geco.model_files.manifest import weights_size

_DOWNLOAD_AGAIN = "Download it again: the copy is damaged or incomplete."
MOST_PICKLE = 64 * 2**20  # bytes of a checkpoint's table of contents; the published ones have less than 1 MB
# Unpickling these makes something as large as a number in the file says, not as large as the file.
_MAKES_MORE = {"bytearray", "_rebuild_meta_tensor_no_storage"}
_OLD_TABLES = 5  # pickles before the numbers in the format before torch 1.6


def read_torch_file(path: str | Path) -> dict[str, object]:
    """The dictionary in a ``torch.save`` file, tensors memory-mapped where the format allows.

    Only tensors and plain containers are unpickled (weights_only).

    Raises:
        WeightsError: missing, truncated, not a torch file, holding objects other than weights, or compressed.
    """
    source = Path(path)
    weights_size(source)
    zipped = _check_archive(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of what it then refuses
            found = torch.load(source, map_location="cpu", weights_only=True, mmap=True if zipped else None)
    except Exception as error:  # torch's unpickler trips over damaged files in every way that Python has
        why = (str(error) or type(error).__name__).splitlines()[0]
        if "Weights only load failed" in str(error) and "Unsupported" in str(error):
            raise _other_objects(source) from error
        raise WeightsError(
            f"{source} is not a readable torch checkpoint ({why[:200]})", _DOWNLOAD_AGAIN
        ) from error
    if not isinstance(found, dict):
        raise WeightsError(
            f"{source} holds a {type(found).__name__}, not a dictionary of weights",
            "Is it the published file?",
        )
    return found


def _check_archive(source: Path) -> bool:
    """Whether the file is a zip archive (torch 1.6 and later); WeightsError where it would unfold
    to more than it is.
    """
    try:
        with source.open("rb") as stream:
            if stream.read(4) != b"PK\x03\x04":
                stream.seek(0)
                for _ in range(_OLD_TABLES):
                    _check_pickle(stream, source)
                return False
            with zipfile.ZipFile(stream) as archive:
                entries = archive.infolist()
                if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
                    raise WeightsError(
                        f"{source} is compressed, which torch writes no checkpoint", _DOWNLOAD_AGAIN
                    )
                for entry in entries:
                    if entry.filename.endswith(".pkl"):
                        if entry.file_size > MOST_PICKLE:
                            raise WeightsError(
                                f"{source} has a table of {entry.file_size} bytes", _DOWNLOAD_AGAIN
                            )
                        with archive.open(entry) as table:
                            _check_pickle(table, source)  # type: ignore[arg-type]
    except WeightsError:
        raise
    except Exception as error:  # zipfile and pickletools have as many ways to fail
        raise WeightsError(f"{source} is not a readable torch checkpoint", _DOWNLOAD_AGAIN) from error
    return True


def _check_pickle(stream: BinaryIO, source: Path) -> None:
    """WeightsError where the pickle at the stream's place names something that would make more
    than the file holds.
    """
    for opcode, argument, _ in pickletools.genops(stream):
        named = str(argument).rpartition(" ")[2] if opcode.name in ("GLOBAL", "INST") else ""
        if named in _MAKES_MORE or opcode.name == "STACK_GLOBAL":  # the latter torch's own reader refuses too
            raise _other_objects(source)


def _other_objects(source: Path) -> WeightsError:
    return WeightsError(
        f"{source} holds objects other than weights", "It is not the published checkpoint; not loaded."
    )
