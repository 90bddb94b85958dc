"""Files and folders that a page names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.documents.page import Page
from tests.documents.source import ROOT, TOP, tracked

# Where a page's short paths (`training/vsd.py`, `mesh/`) may begin.
STARTS = ("", "src", "src/geco", "src/geco/data", "docs")
# Folders that a user has, or that a command makes; the rest of `name/` are rooms of ours.
EXAMPLE_FOLDERS = {"objects", "shards", "pictures", "run", "report", "eval", "packed", "out", "site"} | {
    *("meshes", "multiview", "reconstructor", "held_out"),  # in what a command wrote
    *("unet", "vae", "vision_encoder", "scheduler", "network", "prompt"),  # of a diffusers folder
    *("feature_extractor_vae", "feature_extractor_clip"),
}
# Files of other projects, and files that a command writes.
FOREIGN_FILES = {"blender_script.py", "eval_mesh.py", "tables.md"} | {
    *("geco_full_pipeline.py", "geco_small_pipeline.py"),
}
PATH = re.compile(r"[\w.*{},-]+(/[\w.*{},-]+)*/?")
SOURCE_FILE = re.compile(r"[\w./*-]+\.(py|sh|md|toml)")


def of_path(word: str, page: Page | None = None) -> Iterator[str]:
    """Of a word that may be a path: the problem, where it names something of ours that is not there."""
    name, _, member = word.removeprefix("./").partition("::")
    if not PATH.fullmatch(name) or name.startswith("..") or re.search(r"[A-Z]{3,}/|^/", name):
        return
    first = name.split("/")[0]
    if name in FOREIGN_FILES:
        return
    room = re.fullmatch(r"[a-z_]+(/[a-z_]+)*/", name) and first not in EXAMPLE_FOLDERS
    if first not in (*TOP, "geco") and not SOURCE_FILE.fullmatch(name) and not room:
        return
    starts = [ROOT / start for start in STARTS] + ([page.path.parent] if page else [])
    files = [found for start in starts for each in _braces(name) for found in start.glob(each.rstrip("/"))]
    if not files and SOURCE_FILE.fullmatch(name):
        files = [path for path in tracked() if path.as_posix().endswith("/" + name)]
    if not files:
        yield f"`{word}`: no such file or folder"
    elif member and not any(f"def {member}(" in path.read_text() for path in files):
        yield f"`{word}`: no {member} there"


def _braces(name: str) -> list[str]:
    """``a.{b,c}`` as two names."""
    inside = re.search(r"\{([^}]*)\}", name)
    if not inside:
        return [name]
    return [name[: inside.start()] + each + name[inside.end() :] for each in inside.group(1).split(",")]
