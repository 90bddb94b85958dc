"""Jobs on disk: a folder each, with its record and its files, written whole or not at all.

A job's files are written before the record that names them, and a record goes before its files do: whatever a
killed server leaves, a record's files are there, and a folder without a record is nobody's.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from geco.errors import ConfigError, GecoError, OutputError, WeightsError
from geco.files import atomic_write, sweep, writing
from geco.locks import LOCK, lock_folder
from geco.model_files.cache import user_cache
from geco.reading import read_regular
from geco.serve.job import Job, Result
from geco.serve.settings import Keeping

log = logging.getLogger("geco.serve")

RECORD = "job.json"
TEMPORARY = "geco-jobs-"
MOST_RECORD = 4 << 20  # bytes; 16 results with their facts take 30,000
# Bytes that a job counts beside its files: more than its record, so that a flood of jobs that fail takes
# little memory of the server.
OVERHEAD = 65_536
ABANDONED = 60.0  # seconds after which a folder among the temporary files that nobody holds is a leftover
_ID = re.compile(r"[0-9a-f]{32}")
_FILE = re.compile(r"(views|still|mesh|shape|turntable)-\d{1,10}(\.[a-z0-9]{3})?")


def views_file(seed: int) -> str:
    """Of the sheet of a seed's views."""
    return f"views-{seed}.png"


def mesh_file(seed: int) -> str:
    """Of a sample's mesh, whatever its format."""
    return f"mesh-{seed}"


def still_file(seed: int) -> str:
    """Of a sample's still picture."""
    return f"still-{seed}.png"


def shape_file(seed: int) -> str:
    """Of what its turntables are drawn from."""
    return f"shape-{seed}.npz"


def turntable_file(seed: int, format: str) -> str:
    """Of a sample turning."""
    return f"turntable-{seed}.{format}"


class Store:
    """The folder of one server, which nobody else may use at the same time.

    Args:
        folders: the first that can be had is taken; made if it is not there. None: a new one among the
            temporary files, gone with :meth:`close`.
        needed: raise where none can be had, else go without.

    Attributes:
        found: the jobs that were there when it was opened.
    """

    def __init__(self, folders: Sequence[Path | None], needed: bool = False) -> None:
        self.folders, self.needed = folders, needed
        self.folder: Path | None = None
        self.found: list[Job] = []
        self._own = False
        self._sizes: dict[str, int] = {}
        self._lock: IO[bytes] | None = None

    @property
    def held(self) -> int:
        """Bytes of all jobs together."""
        return sum(tuple(self._sizes.values()))  # threads write it meanwhile

    @property
    def is_open(self) -> bool:
        """Whether there is a folder."""
        return self._lock is not None

    def open(self) -> None:
        """Take a folder and find the jobs that an earlier server left, those that were not over as lost.

        Raises:
            ConfigError: none can be made or written, or another server uses it.
        """
        for folder in self.folders:
            try:
                self._take(folder)
                break
            except (OSError, OutputError) as error:
                why = getattr(error, "problem", None) or getattr(error, "strerror", None) or error
                problem = f"jobs cannot be kept in {folder or 'a temporary folder'}: {why}"
                if self.needed:
                    raise ConfigError(problem, "Choose another --jobs-dir.") from error
                log.warning("warning: %s", problem)
        if self.folder is None or not self.is_open:
            return
        for path in sorted(self.folder.iterdir()):
            if _ID.fullmatch(path.name) and path.is_dir() and not path.is_symlink():
                with contextlib.suppress(OSError):
                    job = self._load(path)
                    self.found += [] if job is None else [job]
        if self.found:
            lost = sum(job.state == "lost" for job in self.found)
            log.info("%d jobs found in %s, %d of them lost", len(self.found), self.folder, lost)

    def _take(self, folder: Path | None) -> None:
        self._own = folder is None
        if folder is None:
            _sweep_temporary()
        self.folder = folder or Path(tempfile.mkdtemp(prefix=TEMPORARY))
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = lock_folder(self.folder, name=LOCK)

    def close(self) -> None:
        """Let the folder go."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        if self._own and self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def write(self, job: Job, files: Mapping[str, bytes] | None = None) -> None:
        """Files of a job, then its record. Raises OutputError."""
        folder = self._of(job)
        with writing(folder):
            folder.mkdir(mode=0o700, exist_ok=True)
        for name, data in (files or {}).items():
            assert _FILE.fullmatch(name), name
            atomic_write(folder / name, data)
        atomic_write(folder / RECORD, json.dumps(job.record(), allow_nan=False).encode())
        self._sizes[job.id] = self._weigh(folder)

    def path(self, job: Job, name: str) -> Path:
        """Where one of its files is."""
        return self._of(job) / name

    def forget(self, job: Job) -> None:
        """Delete it."""
        self._sizes.pop(job.id, None)
        _remove(self._of(job))

    def _of(self, job: Job) -> Path:
        assert self.folder is not None and _ID.fullmatch(job.id)
        return self.folder / job.id

    def _load(self, folder: Path) -> Job | None:
        if not (folder / RECORD).exists():  # its server was killed while it made or deleted it
            _remove(folder)
            return None
        sweep(folder)
        try:
            record = json.loads(read_regular(folder / RECORD, MOST_RECORD, OutputError))
            job = Job.of_record(record)
        except (GecoError, KeyError, TypeError, ValueError) as error:
            log.warning("%s is left alone: no job's record (%s)", folder, error)
            return None
        if job.id != folder.name:
            log.warning("%s is left alone: it holds another job's record", folder)
            return None
        job.results = [result for result in job.results if self._is_whole(folder, result)]
        job.drawn = [seed for seed in job.drawn if (folder / views_file(seed)).is_file()]
        self._sizes[job.id] = self._weigh(folder)
        if job.is_open:
            job.lose("the server ended")
            job.note("end")
            self.write(job)
        return job

    def _is_whole(self, folder: Path, result: Result) -> bool:
        file = folder / mesh_file(result.seed)
        return file.is_file() and file.stat().st_size == result.bytes

    def _weigh(self, folder: Path) -> int:
        return OVERHEAD + sum(file.stat().st_size for file in folder.iterdir())


def store_for(keeping: Keeping, address: str = "") -> Store:
    """The store of a server that listens on ``address``: where the settings say; else in the user's cache,
    where it finds its jobs again; else, and where the address is none that it will have again, among the
    temporary files.
    """
    if keeping.folder is not None:
        return Store([Path(keeping.folder)], needed=True)
    folders: list[Path | None] = [None]
    if address:
        with contextlib.suppress(WeightsError):  # there is no home
            folders.insert(0, user_cache() / "jobs" / re.sub(r"[^0-9A-Za-z.-]", "_", address))
    return Store(folders)


def _sweep_temporary() -> None:
    """What killed servers of this user left among the temporary files: folders whose lock nobody holds."""
    for folder in Path(tempfile.gettempdir()).glob(f"{TEMPORARY}*"):
        with contextlib.suppress(OSError, OutputError):
            lock = (folder / LOCK).lstat()
            if time.time() - lock.st_mtime > ABANDONED and lock.st_uid == getattr(os, "getuid", int)():
                lock_folder(folder, name=LOCK).close()
                shutil.rmtree(folder, ignore_errors=True)


def _remove(folder: Path) -> None:
    """The record first: see above."""
    with contextlib.suppress(OSError):
        (folder / RECORD).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
