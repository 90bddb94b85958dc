"""Large files of the hub into the hub's own cache, going on where a killed download stopped.

huggingface_hub starts a file again from its beginning when its process was ended (it writes each download
under a name of its own and deletes it). A slow line never gets a gigabyte that way, so large files are
fetched here, by ranges, into the place of the cache where the library finds them; the rest is the library's.
"""

from __future__ import annotations

import contextlib
import fnmatch
import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from geco.errors import OutputError, WeightsError
from geco.locks import lock_folder
from geco.reading import sha256_of

LARGE = 8 * 2**20  # bytes; what is smaller may as well start again
ANSWER = 10.0  # seconds that the hub has to answer
POLL = 0.5  # seconds between two looks at another process' lock
_COMMIT, _DIGEST = re.compile(r"[0-9a-f]{40}"), re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Remote:
    """One file of a repository at a commit: its size in bytes, and SHA-256 where the hub tells it (large
    files).
    """

    path: str
    size: int
    sha256: str | None


@dataclass(frozen=True)
class Listing:
    """What a repository holds at a commit, of the files that were asked for."""

    hub_id: str
    commit: str
    files: tuple[Remote, ...]

    def missing(self) -> list[Remote]:
        """Those that are not in the cache."""
        from huggingface_hub import try_to_load_from_cache

        return [
            file
            for file in self.files
            if not isinstance(try_to_load_from_cache(self.hub_id, file.path, revision=self.commit), str)
        ]

    def to_fetch(self) -> int:
        """Bytes that are still to come; what a killed download left counts as here."""
        return sum(file.size - _size(partial(self.hub_id, file)) for file in self.missing())


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether a file of a repository, ``folder/name``, is one of ``patterns``."""
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def reach() -> None:
    """Raise what the library's HTTP client raises where the hub does not answer; asked once, since the
    library's own questions are repeated for half a minute.
    """
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session

    get_session().head(constants.ENDPOINT, timeout=ANSWER)


def listing(hub_id: str, patterns: Sequence[str], revision: str | None) -> Listing:
    """Ask the hub; raises what huggingface_hub raises where it is not to be reached or knows no such
    repository.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    api = HfApi()
    commit = revision if revision and _COMMIT.fullmatch(revision) else None
    if commit is None:
        commit = api.model_info(hub_id, revision=revision).sha or ""
    found = [
        Remote(entry.path, entry.size, _digest(entry.lfs.sha256 if entry.lfs else None))
        for entry in api.list_repo_tree(hub_id, recursive=True, revision=commit)
        if isinstance(entry, RepoFile) and matches(entry.path, patterns)
    ]
    return Listing(hub_id, commit, tuple(found))


def fetch_large(wanted: Listing) -> None:
    """Fetch the large files that are missing; a partial one stays for the next time.

    Raises:
        OutputError: the cache cannot be written.
        WeightsError: what arrived is not what the hub says it is. Whatever huggingface_hub raises where the
            line fails.
    """
    for file in wanted.missing():
        if file.sha256 is not None and file.size >= LARGE:
            _fetch(wanted, file, file.sha256)


def _fetch(wanted: Listing, file: Remote, sha256: str) -> None:
    part = partial(wanted.hub_id, file)
    blob = part.with_name(sha256)
    with _alone(part.parent, f"{sha256}.lock", file.path):
        if blob.exists():  # another process has just made it
            return
        if (have := _size(part)) > file.size:
            part.unlink()
            have = 0
        if have:
            print(
                f"{file.path}: going on after {have / 1e6:.0f} of {file.size / 1e6:.0f} MB", file=sys.stderr
            )
        _receive(wanted, file, part, have)
        if sha256_of(part) != sha256:
            part.unlink()
            raise WeightsError(
                f"{wanted.hub_id}: {file.path} arrived damaged: its SHA-256 is not the hub's",
                "Run the command again: the file is fetched anew.",
            )
        os.replace(part, blob)


def _receive(wanted: Listing, file: Remote, part: Path, have: int) -> None:
    """The bytes of a file after the first ``have``, behind those in ``part``."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers

    url = hf_hub_url(wanted.hub_id, file.path, revision=wanted.commit)
    headers = build_hf_headers()
    with part.open("ab", buffering=0) as stream:
        http_get(
            url,
            stream,
            resume_size=have,
            headers=headers,
            expected_size=file.size,
            displayed_filename=file.path,
        )


@contextlib.contextmanager
def _alone(folder: Path, name: str, what: str) -> Iterator[None]:
    """Hold a lock; where another process has it, say so and wait: it fetches what is wanted here."""
    waiting = False
    while True:
        try:
            stream = lock_folder(folder, name=name)
            break
        except OutputError as error:
            if not isinstance(error.__cause__, BlockingIOError):
                raise
        if not waiting:
            print(f"{what}: another run is fetching it; waiting for that one", file=sys.stderr)
            waiting = True
        time.sleep(POLL)
    with stream:
        try:
            yield
        finally:
            # An open file cannot be removed on Windows, where the empty lock stays.
            with contextlib.suppress(OSError):
                (folder / name).unlink()


def partial(hub_id: str, file: Remote) -> Path:
    """Where a download of a file grows: beside its place in the hub's cache, under the name that earlier
    versions of the library gave it.
    """
    from huggingface_hub import constants

    blobs = Path(constants.HF_HUB_CACHE) / f"models--{hub_id.replace('/', '--')}" / "blobs"
    return blobs / f"{file.sha256 or 'small'}.incomplete"


def _digest(told: str | None) -> str | None:
    """The hub's word, if it is a SHA-256: it becomes a file's name."""
    return told if told and _DIGEST.fullmatch(told) else None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
