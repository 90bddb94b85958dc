"""What an evaluation measures: methods x objects x seeds, and where the report goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from geco.data.objects import ObjectSource, find_objects
from geco.errors import ConfigError, InputImageError
from geco.evaluate.methods import Method
from geco.evaluate.reading import Reading
from geco.evaluate.settings import Settings


@dataclass
class Plan:
    """What shall stand in the report.

    Attributes:
        report: its folder. objects: by key, in order. methods: in order. settings: see :class:`Settings`.
        device: of the models; None chooses.
        keep_meshes: write every mesh of ours as GLB.
        quiet: no progress bar.
        reading: what reading an object may take.
    """

    report: Path
    objects: dict[str, ObjectSource]
    methods: list[Method]
    settings: Settings
    device: str | None = None
    keep_meshes: bool = True
    quiet: bool = False
    reading: Reading = field(default_factory=Reading)

    def units(self, method: Method) -> list[tuple[str, int]]:
        """(object, seed) of a method."""
        return [
            (key, seed)
            for key in self.objects
            for seed in range(1 if method.deterministic else self.settings.seeds)
        ]


def choose_objects(folder: str, limit: int | None, links: Sequence[Path] = ()) -> dict[str, ObjectSource]:
    """The folder's objects by key, sorted; the first ``limit``. Raises ObjectError, InputImageError for an
    empty folder.

    Args:
        links: further folders that links may lead into.
    """
    if limit is not None and limit < 1:
        raise ConfigError(f"--limit {limit} leaves no object", "Ask for 1 or more.")
    found = find_objects(folder, links)[:limit]
    if not found:
        raise InputImageError(
            f"the folder {folder} holds no object", "Give a folder of .glb, .gltf, .obj, .ply, .stl or .zip."
        )
    return {source.key: source for source in found}
