"""Too little memory: how it shows itself in the libraries, and the one error that it becomes.

Python raises MemoryError; ONNX Runtime, torch, the loader of shared libraries and the starting of threads
have only texts of their own; OpenBLAS ends the process. So what OpenBLAS needs is asked for before anything
large is.
"""

from __future__ import annotations

import errno
import re
import sys
from pathlib import Path

from geco.errors import ConfigError, GecoError, MissingExtraError

STATUS = Path("/proc/self/status")  # Linux's own account of a process

# Address space in which numpy loads and computes; measured: OpenBLAS ends the process below 190 MiB.
LEAST = 256 << 20
# Address space in which torch loads and imports what it needs at its first steps, and numpy beside it; with
# less, imports that were half done end in errors of all kinds (measured, torch 2.13: 598 MiB to be imported).
LEAST_OF_TORCH = 1 << 30
_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {"KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40}
_SIZE = re.compile(rf"(\d{{1,15}}(?:\.\d{{0,9}})?)\s*({'|'.join(_UNITS)})", re.IGNORECASE | re.ASCII)
_TEXTS = re.compile(
    r"std::bad_alloc|Failed to allocate memory|out of memory|not enough memory|can't allocate "
    r"memory|Cannot allocate memory"
    r"|could not create a primitive|could not create a memory object"  # oneDNN
    r"|memory allocation|cannot allocate|pthread_create failed|can't start new thread|failed to map segment",
    re.IGNORECASE,
)


class MemoryShortage(GecoError):
    """The machine, or a limit on this process, has no room for what was asked."""


def is_shortage(error: BaseException) -> bool:
    """Whether ``error`` says that memory, or a thread, could not be had."""
    if isinstance(error, (MemoryError, MemoryShortage)):
        return True
    if isinstance(error, MissingExtraError):  # the library is there, but could not be loaded
        return error.__cause__ is not None and is_shortage(error.__cause__)
    if isinstance(error, SystemError) and address_limit() is not None:
        return True  # a library's own C code has lost the MemoryError
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    if isinstance(error, (RuntimeError, ImportError, SystemError)) or type(error).__module__.startswith(
        "onnxruntime"
    ):
        return _TEXTS.search(str(error)) is not None
    return False


def shortage(error: BaseException, lower: str = "") -> MemoryShortage:
    """Our error for such a failure.

    Args:
        lower: what the user can ask less of, e.g. "--resolution or --texture-size".
    """
    if isinstance(error, MemoryShortage):
        return error
    if isinstance(error, MissingExtraError) and error.__cause__ is not None:
        error = error.__cause__
    found = address_limit()
    limit = f" (this process may have {found >> 20} MiB)" if found is not None else ""
    remedy = f"Lower {lower}, or give the process more memory." if lower else "Give the process more memory."
    return MemoryShortage(f"not enough memory{limit}: {_first_line(error)}", remedy)


def claim_for_torch(lower: str = "") -> None:
    """Raises MemoryShortage: this process has a limit below what torch itself needs."""
    limit = address_limit()
    if limit is not None and limit < LEAST_OF_TORCH:
        raise shortage(MemoryError(f"torch alone needs {LEAST_OF_TORCH >> 20} MiB"), lower)


def claim(lower: str = "") -> None:
    """Where this process has a limit of memory: check that numpy can load under it, and have OpenBLAS take
    its buffers.

    Later, when large arrays fill the room, OpenBLAS would end the process with a line of its own.

    Raises:
        MemoryShortage: it cannot.
    """
    limit = address_limit()
    if limit is None:
        return
    if limit < LEAST:
        raise shortage(MemoryError(f"numpy alone needs {LEAST >> 20} MiB"))
    try:
        import numpy as np

        square = np.ones((256, 256))  # large enough to be shared among threads
        np.linalg.eigvalsh(square @ square)
    except Exception as error:
        if is_shortage(error):
            raise shortage(error, lower) from error
        raise


def address_limit() -> int | None:
    """Bytes that this process may map or hold as data, whichever is less; None without a limit
    (always on Windows).
    """
    try:
        import resource
    except ImportError:
        return None
    kinds = [getattr(resource, name) for name in ("RLIMIT_AS", "RLIMIT_DATA") if hasattr(resource, name)]
    limits = [resource.getrlimit(kind)[0] for kind in kinds]
    found = [limit for limit in limits if limit != resource.RLIM_INFINITY and limit >= 0]
    return min(found, default=None)


def peak() -> int | None:
    """Bytes of this process that were resident at most so far; None where neither the system nor
    psutil tells.
    """
    if STATUS.is_file():
        # Not ru_maxrss: Linux keeps the parent's through fork and exec.
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return _of_psutil("peak_wset")
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def resident() -> int:
    """Bytes of this process that are resident now; at most so far where the system tells no more."""
    if STATUS.is_file():
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    found = _of_psutil("rss")
    return (peak() or 0) if found is None else found


def device_peak() -> int | None:
    """Bytes that torch allocated on a CUDA device at most so far; None where it uses none."""
    torch = sys.modules.get("torch")  # whoever uses a device has imported it
    if torch is None or not torch.cuda.is_initialized():
        return None
    return int(torch.cuda.max_memory_allocated())


def size_of(text: str) -> int:
    """Bytes of "8GB", "500MB", "1.5 GiB", "4096": SI's units are powers of ten, those with an i of two.

    Raises:
        ConfigError: it is no size, or below a megabyte.
    """
    match = _SIZE.fullmatch(text.strip())
    size = float(match[1]) * _UNITS[match[2].upper()] if match else 0.0
    if not 10**6 <= size < 2**63:
        raise ConfigError(f"{text!r} is no size of memory", "Write 8GB, 500MB or 4GiB, for example.")
    return int(size)


def shown_size(size: int) -> str:
    """Bytes as people and :func:`size_of` read them, rounded up."""
    return f"{-(-size // 10**7) / 100:.2f}GB" if size >= 10**9 else f"{-(-size // 10**6)}MB"


def _of_psutil(name: str) -> int | None:
    try:
        import psutil
    except ImportError:
        return None
    found = psutil.Process().memory_info()
    return int(getattr(found, name, found.rss))


def _first_line(error: BaseException) -> str:
    """The failure in a few words: of ONNX Runtime's long texts the end, which says what was asked for."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    text = lines[0].strip() if lines else type(error).__name__
    if len(text) > 120:
        found = _TEXTS.search(text)
        text = text[found.start() : found.start() + 120] if found else text[:120]
    return text.rstrip(" .")
