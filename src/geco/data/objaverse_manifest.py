"""The manifest of a folder of Objaverse objects: what is there, and what was left out for which reason."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from geco.errors import ConfigError
from geco.files import atomic_write
from geco.foreign import Fields
from geco.json_text import read_json

UID = re.compile(r"[0-9a-f]{32}")
_FILE = re.compile(r"\d{3}-\d{3}/[0-9a-f]{32}\.glb")


@dataclass
class Manifest:
    """What is in the folder (uid -> entry) and what was left out (uid -> reason); written whole."""

    path: Path
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Manifest:
        if not path.exists():
            return cls(path)
        remedy = "Choose an empty folder, or delete it."
        try:
            content = Fields(read_json(path, ConfigError), str(path), ConfigError)
            objects = dict(map(_recorded, content.items("objects")))
            skipped = content.fields("skipped")
            return cls(path, objects, {uid: skipped.text(uid) for uid in skipped})
        except ConfigError as error:
            raise ConfigError(
                f"{path} is not a manifest of Objaverse objects ({error.problem})", remedy
            ) from error

    def write(self) -> None:
        content = {
            "about": "Objaverse 1.0 (ODC-By 1.0); every object under its own licence, credit its author.",
            "objects": [self.objects[uid] for uid in sorted(self.objects)],
            "skipped": dict(sorted(self.skipped.items())),
        }
        atomic_write(self.path, (json.dumps(content, indent=1) + "\n").encode())


def _recorded(entry: Any) -> tuple[str, dict[str, Any]]:
    """An object of our own manifest: whoever wrote it, it names no file outside its folder."""
    fields = Fields(entry, "an entry", ConfigError)
    uid, file = fields.text("uid"), fields.text("file")
    if not UID.fullmatch(uid) or not _FILE.fullmatch(file) or Path(file).stem != uid:
        raise fields.wrong(f"has the uid {uid[:40]!r} and the file {file[:60]!r}")
    fields.integer("bytes", 0, 1 << 50)
    fields.text("sha256", 64)
    return uid, fields.values
