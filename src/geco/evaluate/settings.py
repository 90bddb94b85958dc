"""What a report was made with: written before the first row, compared before the next."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geco.data.objects.storage import is_regular
from geco.errors import ConfigError
from geco.evaluate.methods import Method
from geco.evaluate.scores import NONE
from geco.files import atomic_write, is_leftover
from geco.foreign import Fields, read_fields
from geco.loading import EMBEDDED
from geco.locks import LOCK
from geco.reading import sha256_of
from geco.version import __version__

FILE = "settings.json"
FORMAT = "geco-report-1"
MOST_SEEDS = 1000
PACKAGES = ("numpy", "Pillow", "onnxruntime", "scipy", "libigl", "numba", "trimesh", "torch")
_WEIGHTS = (".json", ".onnx", ".safetensors")


@dataclass(frozen=True)
class Settings:
    """What decides the numbers of a report.

    Attributes:
        protocol: "A", "B" or "both".
        seeds: 0 … seeds - 1 for every method that is not deterministic.
        size: pixels of the compared pictures.
        variants: of our meshes; see :data:`geco.evaluate.methods.VARIANTS`.
        mesh_light: of foreign meshes: "bare" draws their own colours, "target" the light of the ground truth
            on them.
        alignment: of our meshes: "box" as the paper, or "search" as foreign ones.
        lpips_weights, clip_weights: folders; None takes caches and network, "none" leaves the metric out.
    """

    protocol: str = "both"
    seeds: int = 1
    size: int = 320
    variants: tuple[str, ...] = ("bare", "finish")
    mesh_light: str = "bare"
    alignment: str = "box"
    lpips_weights: str | None = None
    clip_weights: str | None = None

    def __post_init__(self) -> None:
        if self.protocol not in ("A", "B", "both"):
            raise ConfigError(f"no protocol is called {self.protocol!r}", "Use A, B or both.")
        if not 1 <= self.seeds <= MOST_SEEDS:
            raise ConfigError(f"{self.seeds} seeds are out of range", "Choose 1 to 1000.")
        if not 32 <= self.size <= 2048:
            raise ConfigError(f"pictures of {self.size} pixels are out of range", "Choose 32 to 2048.")
        if self.alignment not in ("box", "search"):
            raise ConfigError(f"our meshes cannot be aligned by {self.alignment!r}", "Use box or search.")
        if not self.variants:
            raise ConfigError("no variant of the meshes was asked for", "Use --variants bare,finish.")

    @property
    def sets(self) -> tuple[str, ...]:
        """Camera sets that meshes are compared on."""
        return ("A", "B") if self.protocol == "both" else (self.protocol,)


def describe(settings: Settings, methods: Sequence[Method], objects: dict[str, Path]) -> dict[str, Any]:
    """Everything a row depends on, as plain data. ``objects``: key -> file."""
    return {
        "format": FORMAT,
        "common": {
            "protocol": settings.protocol,
            "size": settings.size,
            "mesh_light": settings.mesh_light,
            "alignment": settings.alignment,
            "variants": sorted(settings.variants),
            "lpips_weights": _folder_hash(settings.lpips_weights),
            "clip_weights": _folder_hash(settings.clip_weights),
            "objects": {key: _digest(path) for key, path in objects.items()},
            "versions": versions(),
        },
        "seeds": settings.seeds,
        "methods": {method.name: _method(method) for method in methods},
    }


def versions() -> dict[str, str]:
    """Of this package, Python and every library that numbers may depend on; "" where one is not installed."""
    found = {"geco": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = ""
    return found


def seeds_of(folder: Path) -> int:
    """The most seeds a report has been asked for so far; 1 where there is none (or none that
    :func:`settle` would take).
    """
    try:
        return int(read_fields(folder / FILE, ConfigError).integer("seeds", 1, MOST_SEEDS))
    except ConfigError:
        return 1


def settle(folder: Path, described: dict[str, Any]) -> dict[str, Any]:
    """Join ``described`` with what the folder was begun with, write it, and return it; errors as
    :func:`agreed`.
    """
    joined, known = agreed(folder, described)
    if not known:
        _write(folder / FILE, joined)
    return joined


def agreed(folder: Path, described: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """``described`` joined with what the folder was begun with, and whether that stands there already; writes
    nothing.

    Methods and seeds may be added to a report; anything else must be as before.

    Raises:
        ConfigError: the folder holds a report of other settings, or something that is no report.
    """
    path = folder / FILE
    if not path.exists():
        if folder.is_dir() and any(
            each.name != LOCK and not is_leftover(each.name) for each in folder.iterdir()
        ):
            raise ConfigError(f"{folder} holds files but no report", "Give an empty or a new folder with -o.")
        return described, False
    before = read_settings(path).values
    old, new = before["common"], described["common"]
    differing = [name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]
    changed = [
        n for n, m in described["methods"].items() if n in before["methods"] and before["methods"][n] != m
    ]
    seeds = int(before["seeds"])
    if differing or changed:
        said = [_difference(name, old.get(name), new.get(name)) for name in differing]
        said += [f"method {name} (another model, or other files)" for name in changed]
        raise ConfigError(
            f"{folder} holds a report made with other settings: {'; '.join(said)}",
            "Give another folder with -o, or the settings that it was begun with. Methods and seeds may be "
            "added.",
        )
    joined = {
        **before,
        **described,
        "seeds": max(seeds, described["seeds"]),
        "methods": {**before["methods"], **described["methods"]},
    }
    return joined, joined == before


def agree_on_measures(folder: Path, missing: dict[str, str]) -> None:
    """Remember which metrics have no weights; raises ConfigError where rows were begun with others."""
    path = folder / FILE
    settled = read_settings(path).values
    before = settled.get("unavailable")
    if before is None:
        _write(path, {**settled, "unavailable": missing})
    elif before.keys() != missing.keys():
        names = ", ".join(sorted(before.keys() ^ missing.keys()))
        raise ConfigError(
            f"{folder} was begun {'without' if before.keys() - missing.keys() else 'with'} the weights of "
            f"{names}",
            "Give the same weights as then, or another folder with -o.",
        )


def read_settings(path: Path) -> Fields:
    """The settings of a report, by type; raises ConfigError where they are none."""
    before = read_fields(path, ConfigError, "Give another folder with -o.")
    if before.text("format", default="") != FORMAT:
        raise ConfigError(f"{path} is not the settings of a report", "Give another folder with -o.")
    before.fields("common").fields("objects")
    before.fields("common").fields("versions")
    before.integer("seeds", 1, MOST_SEEDS)
    methods = before.fields("methods")
    for name in methods:
        methods.fields(name).text("kind")
    unavailable = before.fields("unavailable", None)
    for name in unavailable or ():
        unavailable.text(name, 100_000)
    return before


def _write(path: Path, described: dict[str, Any]) -> None:
    atomic_write(path, (json.dumps(described, indent=1) + "\n").encode())


def _difference(name: str, before: Any, now: Any) -> str:
    if isinstance(before, dict) and isinstance(now, dict):
        keys = [key for key in sorted(before.keys() | now.keys()) if before.get(key) != now.get(key)]
        shown = ", ".join(
            f"{k} {before.get(k)} was, {now.get(k)} is" if name == "versions" else k for k in keys[:3]
        )
        return f"{name} ({shown}{f' and {len(keys) - 3} more' if len(keys) > 3 else ''})"
    return f"{name} was {before}, is {now}"


def _method(method: Method) -> dict[str, Any]:
    known: dict[str, Any] = {
        "kind": method.kind,
        "steering": method.steering.asked,
        "teacher": method.teacher,
        "deterministic": method.deterministic,
        **({"best_of": method.best_of} if method.best_of > 1 else {}),  # reports from before go on
    }
    if method.kind == "meshes":
        return known | {"files": _listing_hash(Path(method.source))}
    if not method.has_process:
        return known
    folder = EMBEDDED if method.source == "small" else Path(method.source)
    # A hub id has no folder; its name must do.
    return known | {"model": _folder_hash(str(folder), _WEIGHTS) if folder.is_dir() else method.source}


def _folder_hash(folder: str | None, suffixes: tuple[str, ...] = ()) -> str | None:
    """One hash of a folder's files and their places; None for no folder."""
    if folder in (None, NONE):
        return folder
    root = Path(str(folder))
    if not root.is_dir():
        raise ConfigError(f"the folder {folder} does not exist", "Check the option that names it.")
    files = [p for p in sorted(root.rglob("*")) if is_regular(p) and (not suffixes or p.suffix in suffixes)]
    lines = "".join(f"{p.relative_to(root)} {_digest(p)}\n" for p in files)
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()


def _digest(path: Path) -> str:
    """Of an object's file; a word where it cannot be read, which is for its row to say."""
    try:
        return sha256_of(path) if is_regular(path) else "missing"
    except OSError:
        return "unreadable"


def _listing_hash(folder: Path) -> str:
    return str(_folder_hash(str(folder)))
