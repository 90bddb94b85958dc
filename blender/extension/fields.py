"""The choices of ``geco run`` as Blender's properties: one each, made of the package's own table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from geco.choices import Choice, choices

# What a file is written as means nothing here; nor do the ways that need a package which is not inside.
LEFT_OUT = {"uv", "lods", "collision"}
NOT_INSIDE = {"grabcut", "rembg", "xatlas"}
KEPT_OF_FILE = {"size", "pivot"}
# Asked of models that are not inside: for a server's.
OF_SERVERS = {"steps", "guidance", "sampler", "reference"}
# Suffixes of what the package reads; HEIC needs a library that is not inside.
PICTURES = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".webp", ".tif", ".tiff", ".gif", ".bmp"),
    *(".avif", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".tga"),
)
OWN = "MODEL"  # of a choice among words: the model's own


def rows() -> Iterator[Choice]:
    """The table's rows that Blender shows, in its order."""
    for row in choices("seeds", "picture", "views", "mesh", "file"):
        if row.name not in LEFT_OUT and (row.group != "file" or row.name in KEPT_OF_FILE):
            yield row


def unset(row: Choice) -> float:
    """The number that stands for "the model's own" where a row has no default: one below its range."""
    return 0 if row.low is not None and row.low > 0 else -1


def words(row: Choice) -> tuple[str, ...]:
    """The values of a row that work here; the first is the default."""
    able = [value for value in row.values if value not in NOT_INSIDE]
    if row.default is None:
        return (OWN, *able)
    return (row.default, *(value for value in able if value != row.default))


def title(row: Choice) -> str:
    """ "texture_size" as "Texture size"."""
    return row.name.replace("_", " ").capitalize()


def about(row: Choice) -> str:
    """The row's help, as a tooltip."""
    text = row.help[:1].upper() + row.help[1:]
    return (
        f"{text}. {unset(row):g}: the default"
        if row.kind in ("int", "float") and row.default is None
        else text
    )


def chosen(settings: Any, server: bool) -> dict[str, Any]:
    """Name -> value of what was chosen, but seeds, size and pivot; the model's own is left out."""
    found = {}
    for row in rows():
        if (
            row.group in ("seeds", "file")
            or row.name in KEPT_OF_FILE
            or (row.name in OF_SERVERS and not server)
        ):
            continue
        value = getattr(settings, row.name)
        if row.default is None and value in (unset(row), OWN, ""):
            continue
        found[row.name] = round(value, 6) if isinstance(value, float) else value
    return found
