"""Writing shards so that a kill at any moment costs one object at most, and a restart gives the same bytes.

Every object becomes a piece (its tar records) in ``.render/``, renamed into place when whole; when the
objects of a shard are all there or skipped, the pieces are joined and deleted. ``index.json`` comes last: a
folder with it is complete.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from geco.data.shards.format import FORMAT, TAR_END, encode_json, member_name, tar_members
from geco.data.shards.index import parse_info, read_index
from geco.data.shards.unfinished import WORK, check_same, is_marker, write_piece
from geco.errors import ConfigError, GecoError, OutputError
from geco.files import atomic_path, atomic_write, sweep
from geco.foreign import read_fields
from geco.locks import lock_folder

OBJECTS_A_SHARD = 256  # with 28 pictures of 128 px: about 80 MB with depth
# Reasons that the machine may be to blame for: such objects are tried again when a stopped run continues.
RETRIED = ("crashed", "timeout", "memory")


class ShardWriter:
    """One folder of shards in the making.

    Args:
        folder: made where it is missing; may hold an unfinished run of the same settings, which continues.
        settings: what decides the bytes, JSON values only: at least ``size``, ``channels`` and ``sets``
            ([{"name", "count"}]); two runs with equal settings and keys make equal folders.
        keys: every object that is to come, in the order of the shards.
        extra: further files at the end, name -> JSON value (``cameras.json``).

    Raises:
        ConfigError: the folder is of other settings (the message names the difference), or holds something
            else.
        OutputError: it cannot be written, or another run is writing it.
    """

    def __init__(
        self,
        folder: str | Path,
        settings: Mapping[str, Any],
        keys: Sequence[str],
        objects_a_shard: int = OBJECTS_A_SHARD,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder, self.work = Path(folder), Path(folder) / WORK
        self.keys, self.extra = list(keys), dict(extra or {})
        digest = hashlib.sha256("\n".join(self.keys).encode()).hexdigest()
        self.settings = {
            **settings,
            "objects_a_shard": objects_a_shard,
            "objects": len(self.keys),
            "objects_sha256": digest,
        }
        self._shards = [
            self.keys[at : at + objects_a_shard] for at in range(0, len(self.keys), objects_a_shard)
        ]
        self._number = {key: number for number, keys in enumerate(self._shards) for key in keys}
        self._open: list[set[str]] = [set() for _ in self._shards]
        views = [(each["name"], index) for each in settings["sets"] for index in range(each["count"])]
        self._names = [member_name(*view, channel) for view in views for channel in settings["channels"]]
        self.complete = self._claim()
        if not self.complete:
            self._resume()

    @property
    def pending(self) -> list[str]:
        """Keys that are neither written nor skipped, in order."""
        return [key for keys, still in zip(self._shards, self._open) for key in keys if key in still]

    def done(self, key: str) -> None:
        """The object's piece is written (:func:`write_piece`); joins the shard when it was the last."""
        number = self._number[key]
        self._open[number].remove(key)
        if not self._open[number]:
            self._join(number)

    def skip(self, key: str, reason: str, message: str) -> None:
        """The object will not come, for this reason."""
        atomic_write(self.work / f"{key}.skipped.json", encode_json({"reason": reason, "message": message}))
        self.done(key)

    def add(self, key: str, piece: bytes) -> None:
        """Write the piece and mark it done: for one process that does all."""
        write_piece(self.folder, key, piece)
        self.done(key)

    def finish(self) -> dict[str, Any]:
        """Write ``report.json``, the extra files and, last, ``index.json``; returns the index.

        Raises:
            ConfigError: not one object came through.
        """
        if self.complete:
            return read_index(self.folder)
        markers = [self.work / f"{_name(number)}.joined.json" for number in range(len(self._shards))]
        joined = [
            read_fields(path, OutputError, "Give the command again: what is damaged is rendered anew.").values
            for path in markers
        ]
        objects = [{"shard": f"{entry['name']}.tar", **each} for entry in joined for each in entry["objects"]]
        skipped = {key: why for entry in joined for key, why in entry["skipped"].items()}
        noted = {each["key"]: each["notes"] for each in objects if "notes" in each}
        report = {"objects": len(self.keys), "written": len(objects), "skipped": skipped, "noted": noted}
        atomic_write(
            self.folder / "report.json", json.dumps(report, indent=1, sort_keys=True).encode() + b"\n"
        )
        if not objects:
            # Nothing to keep: another try, with other limits, may start at once.
            for path in [*self.folder.glob("shard-*.tar"), *self.folder.glob("shard-*.json")]:
                path.unlink()
            shutil.rmtree(self.work, ignore_errors=True)
            raise ConfigError(
                f"none of the {len(self.keys)} objects could be used",
                f"Reasons: {self.folder / 'report.json'}",
            )
        for name, value in self.extra.items():
            atomic_write(self.folder / name, encode_json(value))
        shards = [
            {"name": f"{entry['name']}.tar", "bytes": entry["bytes"], "sha256": entry["sha256"]}
            for entry in joined
        ]
        index = {"format": FORMAT, "settings": self.settings, "shards": shards, "objects": objects}
        atomic_write(self.folder / "index.json", encode_json(index))
        shutil.rmtree(self.work, ignore_errors=True)
        self.complete = True
        return index

    def _claim(self) -> bool:
        """Whether the folder is finished already; otherwise it is ours, marked with the settings."""
        for path in (self.folder / "index.json", self.work / "settings.json"):
            if path.is_file():
                whole = read_index(self.folder) if path.name == "index.json" else None
                found = read_fields(
                    path, ConfigError, "Choose another folder with -o, or delete this one."
                ).values
                check_same(self.folder, whole["settings"] if whole else found, self.settings)
                if path.name == "index.json":
                    shutil.rmtree(self.work, ignore_errors=True)
                    return True
        there = {path.name for path in self.folder.iterdir()} if self.folder.is_dir() else set()
        if not self.work.is_dir() and there - {"report.json"}:
            raise ConfigError(
                f"{self.folder} is not empty and holds no shards",
                "Choose another folder with -o, or empty it.",
            )
        self._lock = lock_folder(self.work, what=self.folder)
        if (self.folder / "index.json").is_file():  # another run has just finished it
            self._lock.close()
            return self._claim()
        atomic_write(self.work / "settings.json", encode_json(self.settings))
        return False

    def close(self) -> None:
        """Let go of the folder as it is: another writer may go on."""
        self._lock.close()

    def _resume(self) -> None:
        """What an earlier run left: finished shards and whole pieces stay, everything else goes."""
        sweep(self.folder)
        sweep(self.work)
        for number, keys in enumerate(self._shards):
            marker = self.work / f"{_name(number)}.joined.json"
            if marker.is_file():
                if is_marker(marker):
                    self._clear(number)
                    continue
                marker.unlink()  # its pieces are gone: the shard is rendered again
            self._open[number] = {key for key in keys if not self._usable(key)}
            if not self._open[number]:
                self._join(number)

    def _usable(self, key: str) -> bool:
        skipped = self.work / f"{key}.skipped.json"
        if skipped.is_file():
            with contextlib.suppress(GecoError):
                if read_fields(skipped, ConfigError).text("reason") not in RETRIED:
                    return True
            skipped.unlink()
        try:
            piece = (self.work / f"{key}.tar").read_bytes()
            members = tar_members(piece)
            start, size = members[f"{key}.json"]
            parse_info(piece[start : start + size], key, key)
            # cut between members it is a tar still
            return {f"{key}.{name}" for name in self._names} < members.keys()
        except Exception:  # whatever a damaged piece raises: it is rendered again
            return False

    def _join(self, number: int) -> None:
        name, digest, at = _name(number), hashlib.sha256(), 0
        sidecar: dict[str, dict[str, tuple[int, int]]] = {}
        objects, skipped = [], {}
        with atomic_path(self.folder / f"{name}.tar") as temporary, temporary.open("wb") as stream:
            for key in self._shards[number]:
                path = self.work / f"{key}.tar"
                if not path.is_file():
                    skipped[key] = json.loads((self.work / f"{key}.skipped.json").read_bytes())
                    continue
                piece = path.read_bytes()
                members = tar_members(piece)
                start, size = members[f"{key}.json"]
                facts = json.loads(piece[start : start + size])
                objects.append(
                    {
                        "key": key,
                        "bytes": len(piece),
                        "licence": facts.get("licence"),
                        "faces": facts.get("faces"),
                    }
                )
                objects[-1] |= {"notes": facts["notes"]} if facts.get("notes") else {}
                sidecar[key] = {
                    member[len(key) + 1 :]: (at + offset, length)
                    for member, (offset, length) in members.items()
                }
                at += stream.write(piece)
                digest.update(piece)
            at += stream.write(TAR_END)
            digest.update(TAR_END)
        atomic_write(self.folder / f"{name}.json", encode_json(sidecar))
        marker = {
            "name": name,
            "bytes": at,
            "sha256": digest.hexdigest(),
            "objects": objects,
            "skipped": skipped,
        }
        atomic_write(self.work / f"{name}.joined.json", encode_json(marker))
        self._clear(number)

    def _clear(self, number: int) -> None:
        for key in self._shards[number]:
            (self.work / f"{key}.tar").unlink(missing_ok=True)
            (self.work / f"{key}.skipped.json").unlink(missing_ok=True)


def _name(number: int) -> str:
    return f"shard-{number:06d}"
