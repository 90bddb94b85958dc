"""Objaverse 1.0 (Deitke et al. 2022): its LVIS subset or any uids, downloaded, hashed, and filtered by licence and size.

Lists and annotations are read by the ``objaverse`` package from its own cache (``~/.objaverse/hf-objaverse-v1``). The files get
there, and the objects into a folder of ours, by :mod:`geco.data.fetch`: the package (0.1.7) has a fixed address, tries once,
and leaves half a list behind when the connection breaks. Layout of the public repository (its ``load_*`` functions):
``lvis-annotations.json.gz`` {category: [uid]}, ``object-paths.json.gz`` {uid: "glbs/000-023/UID.glb"},
``metadata/000-023.json.gz`` {uid: annotation}.
"""

from __future__ import annotations

import gzip
import json
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from tqdm import tqdm

from geco.data.fetch import FetchError, OfflineError, Patience, RefusedError, fetch
from geco.errors import ConfigError, MissingExtraError
from geco.files import atomic_write, sha256_of

BASE_URL = "https://huggingface.co/datasets/allenai/objaverse/resolve/main"  # as in the package's source
# Annotations' codes (Sketchfab's) and what they stand for; the data set's card lists the five without "nd".
LICENCES = {
    "cc0": "CC0-1.0",
    "by": "CC-BY-4.0",
    "by-sa": "CC-BY-SA-4.0",
    "by-nc": "CC-BY-NC-4.0",
    "by-nc-sa": "CC-BY-NC-SA-4.0",
    "by-nd": "CC-BY-ND-4.0",
    "by-nc-nd": "CC-BY-NC-ND-4.0",
}
FREE = ("cc0", "by", "by-sa")  # allow commercial use and changed copies
MAX_BYTES = 100 << 20
_MANIFEST = "manifest.json"
_SAVE_EVERY = 50


@dataclass(frozen=True)
class Selection:
    """Which objects are wanted.

    Attributes:
        uids: these; None: the LVIS subset (about 46,000).
        limit: only the first so many in the order of the data set's paths (after filtering); None: all.
        licences: codes of :data:`LICENCES` that are taken.
        max_bytes: larger files are left out.
    """

    uids: Sequence[str] | None = None
    limit: int | None = None
    licences: Sequence[str] = FREE
    max_bytes: int = MAX_BYTES

    def __post_init__(self) -> None:
        unknown = sorted(set(self.licences) - set(LICENCES))
        if unknown or not self.licences:
            raise ConfigError(f"unknown licences: {', '.join(unknown) or 'none given'}", f"Known: {', '.join(LICENCES)}.")
        if (self.limit is not None and self.limit < 1) or self.max_bytes < 1:
            raise ConfigError(f"limit {self.limit}, largest file {self.max_bytes} bytes", "Both are at least 1.")


@dataclass
class _Manifest:
    """What is in the folder (uid -> entry) and what was left out (uid -> reason); written whole."""

    path: Path
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> _Manifest:
        if not path.exists():
            return cls(path)
        try:
            content = json.loads(path.read_text())
            return cls(path, {entry["uid"]: entry for entry in content["objects"]}, dict(content["skipped"]))
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{path} is not a manifest of Objaverse objects", "Choose an empty folder, or delete it.") from error

    def write(self) -> None:
        content = {
            "about": "Objaverse 1.0 (ODC-By 1.0); every object under its own licence, credit its author.",
            "objects": [self.objects[uid] for uid in sorted(self.objects)],
            "skipped": dict(sorted(self.skipped.items())),
        }
        atomic_write(self.path, (json.dumps(content, indent=1) + "\n").encode())


def download(
    folder: str | Path,
    selection: Selection | None = None,
    *,
    base_url: str = BASE_URL,
    workers: int = 8,
    patience: Patience | None = None,
    progress: bool = False,
) -> Path:
    """Download objects to ``folder/000-023/UID.glb`` and list them in ``folder/manifest.json``.

    Objects that are there with the size that the manifest gives are kept; the manifest is written every 50 objects and at the
    end, also after an error, so the same call goes on where it stopped. Objects left out are listed there with the reason:
    unknown-uid, no-annotation, licence-CODE, too-large, missing, forbidden, broken.

    Returns:
        The manifest's path. An entry has ``file``, ``uid``, ``name``, ``author``, ``licence`` (SPDX), ``source`` (its page),
        ``category`` (LVIS), ``bytes`` and ``sha256``.

    Raises:
        MissingExtraError: the ``objaverse`` package is not installed.
        OfflineError: the server cannot be reached; what was downloaded stays.
    """
    target, selection, patience = Path(folder), selection or Selection(), patience or Patience()
    manifest = _Manifest.read(target / _MANIFEST)
    lists = _Lists(base_url, patience)
    try:
        _collect(target, selection, lists, manifest, workers, progress)
    finally:
        manifest.write()
    return manifest.path


class _Lists:
    """Uids, categories, paths and annotations, from the package's cache; what is missing there is fetched before it is read."""

    def __init__(self, base_url: str, patience: Patience) -> None:
        try:
            import objaverse
        except ImportError as error:
            raise MissingExtraError("objaverse", "objaverse", "Objaverse") from error
        self.base_url, self.patience = base_url.rstrip("/"), patience
        self.cache = Path(objaverse.BASE_PATH) / "hf-objaverse-v1"
        # The package's readers: of these two files they take no address, but they read what is there.
        self.paths: dict[str, str] = self._read("object-paths.json.gz", objaverse._load_object_paths)
        categories = self._read("lvis-annotations.json.gz", objaverse.load_lvis_annotations)
        self.categories = {uid: name for name, uids in sorted(categories.items()) for uid in uids}
        self._shard, self._annotations = "", {}  # type: tuple[str, dict[str, dict[str, Any]]]

    def annotation(self, uid: str) -> dict[str, Any] | None:
        """One object's annotation. They come 5,000 a file; the newest file is kept, so ask in the order of the paths."""
        shard = self.paths[uid].split("/")[1]
        if shard != self._shard:
            name = f"metadata/{shard}.json.gz"
            self._annotations = self._read(name, lambda: json.loads(gzip.decompress((self.cache / name).read_bytes())))
            self._shard = shard
        return self._annotations.get(uid)

    def _read(self, name: str, reader: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        self._need(name)
        try:
            return reader()
        except (OSError, EOFError, ValueError, zlib.error):
            (self.cache / name).unlink()  # half a list, as the package leaves it when a connection breaks
            self._need(name)
            return reader()

    def _need(self, name: str) -> None:
        path = self.cache / name
        if path.exists():
            return
        try:
            fetch(f"{self.base_url}/{name}", path, self.patience)
        except FetchError as error:
            raise OfflineError(
                f"Objaverse's list {name} is not here, and {error.problem}",
                f"Connect to the network, or copy {self.cache} from a machine that has it; to train without any download make "
                "objects with: geco data procedural -o DIR --count N",
            ) from error


def _collect(target: Path, selection: Selection, lists: _Lists, manifest: _Manifest, workers: int, progress: bool) -> None:
    wanted = _wanted(selection, lists, manifest)
    total = selection.limit or len(selection.uids if selection.uids is not None else lists.categories)
    pending: dict[Future[str], dict[str, Any]] = {}
    done, exhausted = 0, False
    with tqdm(total=total, unit="object", disable=not progress) as bar, ThreadPoolExecutor(max(workers, 1)) as pool:
        try:
            while True:
                # With a limit never more are under way than are still wanted, so exactly the first good ones are taken.
                room = max(workers, 1) if selection.limit is None else min(max(workers, 1), selection.limit - done)
                while not exhausted and len(pending) < room:
                    entry = next(wanted, None)
                    if entry is None:
                        exhausted = True
                        break
                    pending[pool.submit(_one, target, entry, manifest, lists, selection.max_bytes)] = entry
                if not pending:
                    return
                for future in wait(pending, return_when=FIRST_COMPLETED).done:
                    entry = pending.pop(future)
                    uid = entry["uid"]
                    try:
                        digest = future.result()
                    except RefusedError as error:
                        manifest.skipped[uid] = error.reason
                        continue
                    manifest.objects[uid] = {**entry, "bytes": (target / entry["file"]).stat().st_size, "sha256": digest}
                    manifest.skipped.pop(uid, None)
                    done += 1
                    bar.update()
                    if done % _SAVE_EVERY == 0:
                        manifest.write()
        finally:
            pool.shutdown(cancel_futures=True)


def _wanted(selection: Selection, lists: _Lists, manifest: _Manifest) -> Iterator[dict[str, Any]]:
    """Entries of the objects that pass the filters, in order; the others are noted with the reason."""
    chosen = selection.uids if selection.uids is not None else lists.categories
    for uid in sorted(set(chosen), key=lambda uid: (lists.paths.get(uid, ""), uid)):
        if uid not in lists.paths:
            manifest.skipped[uid] = "unknown-uid"
            continue
        note = lists.annotation(uid)
        reason = "no-annotation" if note is None else _refusal(note, selection)
        if note is None or reason:
            manifest.skipped[uid] = reason
            continue
        user = note.get("user") or {}
        yield {
            "file": PurePosixPath(*PurePosixPath(lists.paths[uid]).parts[1:]).as_posix(),
            "uid": uid,
            "name": str(note.get("name") or ""),
            "author": str(user.get("displayName") or user.get("username") or ""),
            "licence": LICENCES[note["license"]],
            "source": str(note.get("viewerUrl") or f"https://sketchfab.com/3d-models/{uid}"),
            "category": lists.categories.get(uid, ""),
        }


def _refusal(note: dict[str, Any], selection: Selection) -> str:
    licence = str(note.get("license") or "unknown")
    if licence not in selection.licences:
        return f"licence-{licence}"
    size = ((note.get("archives") or {}).get("glb") or {}).get("size")
    return "too-large" if size is not None and int(size) > selection.max_bytes else ""


def _one(target: Path, entry: dict[str, Any], manifest: _Manifest, lists: _Lists, limit: int) -> str:
    """The sha256 of one object, downloaded unless it is here; a file that is no whole GLB is fetched once more, then refused."""
    path = target / entry["file"]
    known = manifest.objects.get(entry["uid"])
    if path.exists() and _is_whole(path):
        # Files appear whole, so one without an entry was finished just before the run was stopped.
        return str(known["sha256"]) if known and known["bytes"] == path.stat().st_size else sha256_of(path)
    for _ in range(2):
        digest = fetch(f"{lists.base_url}/{lists.paths[entry['uid']]}", path, lists.patience, limit)
        if _is_whole(path):
            return digest
    path.unlink()
    raise RefusedError("broken", f"{entry['uid']}: not a whole GLB file")


def _is_whole(path: Path) -> bool:
    """A binary glTF file whose header gives its true length."""
    with path.open("rb") as file:
        head = file.read(12)
    return len(head) == 12 and head[:4] == b"glTF" and struct.unpack("<I", head[8:])[0] == path.stat().st_size
