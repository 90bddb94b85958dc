"""Objaverse 1.0 (Deitke et al. 2022): its LVIS subset or any uids, downloaded, hashed, and filtered by
licence and size.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from tqdm import tqdm

from geco.data.fetch import Patience, RefusedError
from geco.data.objaverse_lists import Lists
from geco.data.objaverse_manifest import Manifest
from geco.data.objaverse_source import Hub, Mirror, kept
from geco.data.objects.storage import is_regular
from geco.errors import ConfigError
from geco.foreign import Fields
from geco.reading import sha256_of

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
            raise ConfigError(
                f"unknown licences: {', '.join(unknown) or 'none given'}", f"Known: {', '.join(LICENCES)}."
            )
        if (self.limit is not None and self.limit < 1) or self.max_bytes < 1:
            raise ConfigError(
                f"limit {self.limit}, largest file {self.max_bytes} bytes", "Both are at least 1."
            )


def download(
    folder: str | Path,
    selection: Selection | None = None,
    *,
    base_url: str | None = None,
    workers: int = 8,
    patience: Patience | None = None,
    progress: bool = False,
) -> Path:
    """Download objects to ``folder/000-023/UID.glb`` and list them in ``folder/manifest.json``.

    Objects that are there with the size that the manifest gives are kept; the manifest is written every 50
    objects and at the end, also after an error, so the same call goes on where it stopped. Objects left out
    are listed there with the reason: unknown-uid, unsafe-path (the list names another place than such an
    object's), no-annotation, licence-CODE, too-large, missing, forbidden, broken, occupied (by a file that is
    none of ours, and stays).

    Args:
        base_url: a mirror of the data set's files; None: the hub.

    Returns:
        The manifest's path. An entry has ``file``, ``uid``, ``name``, ``author``, ``licence`` (SPDX),
        ``source`` (its page), ``category`` (LVIS), ``bytes`` and ``sha256``.

    Raises:
        MissingExtraError: huggingface_hub is not installed.
        OfflineError: the server cannot be reached; what was downloaded stays.
    """
    target, selection, patience = Path(folder), selection or Selection(), patience or Patience()
    manifest = Manifest.read(target / _MANIFEST)
    lists = Lists(Mirror(base_url, patience, kept()) if base_url is not None else Hub(patience, kept()))
    try:
        _collect(target, selection, lists, manifest, workers, progress)
    finally:
        manifest.write()
    return manifest.path


def _collect(
    target: Path, selection: Selection, lists: Lists, manifest: Manifest, workers: int, progress: bool
) -> None:
    wanted = _wanted(selection, lists, manifest)
    total = selection.limit or len(selection.uids if selection.uids is not None else lists.categories)
    pending: dict[Future[str], dict[str, Any]] = {}
    done, exhausted = 0, False
    with (
        tqdm(total=total, unit="object", disable=not progress) as bar,
        ThreadPoolExecutor(max(workers, 1)) as pool,
    ):
        try:
            while True:
                # With a limit never more are under way than are still wanted, so exactly the first good ones
                # are taken.
                room = (
                    max(workers, 1)
                    if selection.limit is None
                    else min(max(workers, 1), selection.limit - done)
                )
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
                    manifest.objects[uid] = {
                        **entry,
                        "bytes": (target / entry["file"]).stat().st_size,
                        "sha256": digest,
                    }
                    manifest.skipped.pop(uid, None)
                    done += 1
                    bar.update()
                    if done % _SAVE_EVERY == 0:
                        manifest.write()
        finally:
            pool.shutdown(cancel_futures=True)


def _wanted(selection: Selection, lists: Lists, manifest: Manifest) -> Iterator[dict[str, Any]]:
    """Entries of the objects that pass the filters, in order; the others are noted with the reason."""
    chosen = selection.uids if selection.uids is not None else lists.categories
    for uid in sorted(set(chosen), key=lambda uid: (lists.paths.get(uid, ""), uid)):
        if uid not in lists.paths:
            manifest.skipped[uid] = "unsafe-path" if uid in lists.unsafe else "unknown-uid"
            continue
        note = lists.annotation(uid)
        reason = "no-annotation" if note is None else _refusal(note, selection)
        if note is None or reason:
            manifest.skipped[uid] = reason
            continue
        user = _inside(note, "user")
        yield {
            "file": PurePosixPath(*PurePosixPath(lists.paths[uid]).parts[1:]).as_posix(),
            "uid": uid,
            "name": _text(note, "name"),
            "author": _text(user, "displayName") or _text(user, "username"),
            "licence": LICENCES[_text(note, "license")],
            "source": _text(note, "viewerUrl") or f"https://sketchfab.com/3d-models/{uid}",
            "category": lists.categories.get(uid, ""),
        }


def _refusal(note: Fields, selection: Selection) -> str:
    licence = _text(note, "license") or "unknown"
    if licence not in selection.licences:
        return f"licence-{licence if licence in LICENCES else 'unknown'}"
    size = _inside(_inside(note, "archives"), "glb").values.get("size")
    return "too-large" if isinstance(size, int) and size > selection.max_bytes else ""


def _inside(fields: Fields, name: str) -> Fields:
    """An object in an annotation; an empty one where there is none."""
    value = fields.values.get(name)
    return Fields(value if isinstance(value, dict) else {}, name, ConfigError)


def _text(fields: Fields, name: str) -> str:
    """A text in an annotation, cut to a length; "" where there is none: names and authors are not
    worth an error.
    """
    value = fields.values.get(name)
    # Half of a surrogate pair, which JSON may hold, can be written nowhere.
    return value[:1000].encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _one(target: Path, entry: dict[str, Any], manifest: Manifest, lists: Lists, limit: int) -> str:
    """The sha256 of one object, downloaded unless it is here; what comes and is no whole GLB is
    asked for once more.
    """
    path = target / entry["file"]
    known = manifest.objects.get(entry["uid"])
    if path.exists() or path.is_symlink():
        if is_regular(path) and _is_whole(path):
            # Files appear whole, so one without an entry was finished just before the run was stopped.
            return (
                str(known["sha256"]) if known and known["bytes"] == path.stat().st_size else sha256_of(path)
            )
        if known is None:
            raise RefusedError("occupied", f"{path} is there and is no object", "Move it away.")
    place = lists.paths[entry["uid"]]
    try:
        return lists.source.object(place, path, limit, _is_whole)
    except RefusedError as error:
        if error.reason != "broken":
            raise
    return lists.source.object(place, path, limit, _is_whole)


def _is_whole(path: Path) -> bool:
    """A binary glTF file whose header gives its true length."""
    with path.open("rb") as file:
        head = file.read(12)
    return len(head) == 12 and head[:4] == b"glTF" and struct.unpack("<I", head[8:])[0] == path.stat().st_size
