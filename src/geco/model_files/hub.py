"""Files of hub repositories: which names are such, at which revision they are fetched, and what they must
hash to.

A repository that this project names is pinned to one commit; where the content of a file is known, to its
SHA-256 too. The pins were read off public projects that state them, of independent authors; none was seen on
the hub itself.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from geco.errors import GecoError, MissingExtraError, WeightsError
from geco.model_files.download import Listing, fetch_large, listing, matches, reach
from geco.model_files.manifest import weights_size
from geco.model_files.stamps import whole_digest

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
MOST_SMALL = 64 * 2**20  # bytes of a file that the hub keeps in git itself: it allows 10 MB
T = TypeVar("T")


@dataclass(frozen=True)
class Pin:
    """One commit of a repository, and SHA-256 by file where it is known."""

    revision: str
    sha256: Mapping[str, str] = field(default_factory=dict)


ZERO123PLUS, INSTANTMESH, TRIPOSR = (
    "sudo-ai/zero123plus-v1.2",
    "TencentARC/InstantMesh",
    "stabilityai/TripoSR",
)
PINNED: dict[str, Pin] = {
    ZERO123PLUS: Pin("2da07e89919e1a130c9b5add1584c70c7aa065fd"),
    INSTANTMESH: Pin(
        "b785b4ecfb6636ef34a08c748f96f6a5686244d0",
        {"instant_mesh_base.ckpt": "22701cd25201d624ebb1568b93cf91b43a2c32006835c08fe73e1f3c9f6c44b5"},
    ),
    TRIPOSR: Pin(
        "5b521936b01fbe1890f6f9baed0254ab6351c04a",
        {
            "config.yaml": "74ca708ce086bf68e97709ea6b3d91f14717921c04691e84043f0eb8fcc68e62",
            "model.ckpt": "429e2c6b22a0923967459de24d67f05962b235f79cde6b032aa7ed2ffcd970ee",
        },
    ),
    "openai/clip-vit-large-patch14": Pin(
        "32bd64288804d66eefd0ccbe215aa642df71cc41",
        {
            "config.json": "8a09b467700c58138c29d53c605b34ebc69beaadd13274a8a2af8ad2c2f4032a",
            "model.safetensors": "a2bf730a0c7debf160f7a6b50b3aaf3703e7e88ac73de7a314903141db026dcb",
        },
    ),
    "timm/vgg16.tv_in1k": Pin(
        "b8d8aa2dd860af9233c8c67385a8097fd6c35d3f",
        {"model.safetensors": "57b026918159a6bf9faf8405c3a551903768e7138989d9c6224a14227203fad8"},
    ),
}


@dataclass(frozen=True)
class Fetched:
    """A local copy of a repository's files, and the commit that they are of ("" where the client
    does not say).
    """

    folder: Path
    revision: str


def is_hub_id(name: str | os.PathLike[str]) -> bool:
    """Whether ``name`` is OWNER/NAME (dots allowed, as in ``sudo-ai/zero123plus-v1.2``) and no
    path that exists.
    """
    text = name.as_posix() if isinstance(name, Path) else os.fspath(name)
    return is_hub_name(text) and not os.path.lexists(text)


def is_hub_name(text: str) -> bool:
    """Whether a text is OWNER/NAME, whatever paths there are."""
    return _ID.fullmatch(text) is not None and ".." not in text


def fetch_file(hub_id: str, filename: str, licence: str, revision: str | None = None) -> Path:
    """One file of a hub repository, from the hub's cache where it is there; arguments and errors
    as :func:`fetch`.
    """
    return fetch(hub_id, [filename], licence, revision).folder / filename


def fetch(hub_id: str, patterns: Sequence[str], licence: str, revision: str | None = None) -> Fetched:
    """The files of a hub repository that match ``patterns``, from the hub's cache where they are there.

    Licence and revision are printed to standard error.

    Args:
        revision: a commit, branch or tag; None takes the commit of :data:`PINNED`, else the main branch.

    Raises:
        MissingExtraError: huggingface_hub is not installed.
        WeightsError: not reachable, not found, or not what the hub or the pin says it is.
    """
    pin = PINNED.get(hub_id)
    wanted = revision or (pin.revision if pin else None)
    print(f"{hub_id} at {wanted or 'main'}: licence {licence}", file=sys.stderr)
    folder = _answered(hub_id, lambda: _snapshot(hub_id, list(patterns), wanted))
    found = revision_of(folder / "any")
    if found not in ("", wanted):
        print(f"{hub_id}: {wanted or 'main'} is commit {found}", file=sys.stderr)
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if matches(path.relative_to(folder).as_posix(), patterns) and not path.is_dir()
    ]
    if not files:
        raise WeightsError(f"{hub_id} has no file {', '.join(patterns)}", "Check the name of the model.")
    known = pin.sha256 if pin and found in ("", pin.revision) and wanted == pin.revision else {}
    for path in files:
        _check(path, known.get(path.relative_to(folder).as_posix()))
    return Fetched(folder, found)


def asked(hub_id: str, patterns: Sequence[str], revision: str | None = None) -> Listing | None:
    """What the hub says of the files that :func:`fetch` would fetch; None where it is not to be reached.

    Raises:
        MissingExtraError: huggingface_hub is not installed. WeightsError: the hub has no such repository.
    """
    pin = PINNED.get(hub_id)
    return _answered(hub_id, lambda: _listed(hub_id, patterns, revision or (pin.revision if pin else None)))


def revision_of(path: Path) -> str:
    """The commit of a file in the hub's cache, whose folder is named after it; "" for any other file."""
    return path.parent.name if _COMMIT.fullmatch(path.parent.name) else ""


def _snapshot(hub_id: str, patterns: list[str], revision: str | None) -> Path:
    """The folder in the hub's cache; raises what huggingface_hub raises."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    refused: HfHubHTTPError | None = None
    try:
        wanted = _listed(hub_id, patterns, revision)
    except HfHubHTTPError as error:  # a hub that is down is no reason where everything is here
        wanted, refused = None, error
    if wanted is not None:
        fetch_large(wanted)
    try:
        return Path(
            snapshot_download(
                hub_id, allow_patterns=patterns, revision=revision, local_files_only=wanted is None
            )
        )
    except LocalEntryNotFoundError as error:
        raise refused or error from error


def _listed(hub_id: str, patterns: Sequence[str], revision: str | None) -> Listing | None:
    """What the hub lists; None where it is not to be reached, or not to be asked (HF_HUB_OFFLINE)."""
    try:
        reach()
    except Exception as error:
        # offline by choice (an OSError of the library's), or its HTTP client's own errors
        if isinstance(error, OSError) or "httpx" in type(error).__module__:
            return None
        raise
    return listing(hub_id, patterns, revision)


def _answered(hub_id: str, ask: Callable[[], T]) -> T:
    """What ``ask`` returns; what huggingface_hub raises becomes our error."""
    try:
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ImportError as error:
        raise MissingExtraError("huggingface_hub", "torch", f"fetching {hub_id}") from error
    by_hand = f"Fetch it where there is a network and give the folder: hf download {hub_id} --local-dir DIR."
    by_hand += " Or was a folder meant? There is none of that name."
    try:
        return ask()
    except GecoError:
        raise
    except LocalEntryNotFoundError as error:
        raise WeightsError(f"{hub_id} is not in the cache and the hub cannot be reached", by_hand) from error
    except HfHubHTTPError as error:
        status = getattr(error.response, "status_code", "no")
        problem = f"the hub refused {hub_id} (HTTP status {status})"
        raise WeightsError(problem, "Check the name and the revision, and access if it is gated.") from error
    except Exception as error:
        # refused names, paths out of the cache, no home, no space, a line that broke
        why = (str(error) or type(error).__name__).splitlines()[0]
        again = "Run it again: large files go on where they stopped. Or: "
        raise WeightsError(f"cannot fetch {hub_id}: {why}", again + by_hand) from error


def git_sha1(data: bytes) -> str:
    """What the hub (and git) calls a small file by."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _check(path: Path, pinned: str | None) -> None:
    """A fetched file against what its place in the cache (large files are named by their SHA-256)
    and the pin say.
    """
    size, named = weights_size(path), path.resolve().name
    if _COMMIT.fullmatch(named) and size <= MOST_SMALL and git_sha1(path.read_bytes()) != named:
        raise WeightsError(
            f"{path} is damaged: it is not what the hub says it is",
            f"Delete {path.resolve()} and fetch it again.",
        )
    wanted = {digest for digest in (pinned, named if _DIGEST.fullmatch(named) else None) if digest}
    if wanted and {whole_digest(path)} != wanted:
        whose = "the one this version was made with" if pinned else "the hub's"
        problem = f"{path} is damaged or another file: its SHA-256 is not {whose}"
        raise WeightsError(problem, f"Delete {path.resolve()} and fetch it again.")
