"""A model folder of ours in a hub repository: fetched and used as it is. No torch here."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from geco.errors import WeightsError
from geco.files import writing
from geco.foreign import read_fields
from geco.model_files.card import CARD, FORMAT, PARTS, read_model_card
from geco.model_files.disk import check_disk, with_cache
from geco.model_files.hub import asked, fetch
from geco.model_files.manifest import FILES, Manifest
from geco.model_files.part import CARD as PART_CARD
from geco.model_files.swap import swapped

# What a model folder holds; anything else in the repository stays there.
PATTERNS = (CARD, "training.json", "curves.png", "*.onnx", *(f"{part}/*" for part in PARTS))
PIPELINE = "model_index.json"  # what a repository of a diffusers pipeline has
REMEDY = "Give a repository that holds what geco publish or geco convert wrote, or a Zero123++ pipeline."


def kind_of(hub_id: str, revision: str | None = None) -> str:
    """What a repository holds, by its small files: "geco" or "pipeline".

    Raises:
        WeightsError: neither, or it cannot be reached.
    """
    found = fetch(hub_id, [CARD, PIPELINE], "that of its files", revision)
    card = found.folder / CARD
    if card.is_file() and read_fields(card, WeightsError, REMEDY).values.get("format") == FORMAT:
        return "geco"
    if (found.folder / PIPELINE).is_file():
        named = read_fields(found.folder / PIPELINE, WeightsError, REMEDY).values.get("_class_name")
        if isinstance(named, list):
            raise WeightsError(
                f"{hub_id} is a pipeline for diffusers: views without a reconstructor",
                f"hf download {hub_id} --local-dir DIR; geco convert --multiview DIR --reconstructor MODEL.",
            )
        return "pipeline"
    raise WeightsError(f"{hub_id} holds a {CARD} that is not of a model of ours", REMEDY)


def fetch_folder(hub_id: str, folder: Path, revision: str | None = None) -> None:
    """A repository that holds a model folder, as ``folder``; every weights file is compared with its
    manifest before it is there.

    Args:
        folder: new, empty, or an earlier copy; the caller holds its lock.

    Raises:
        WeightsError: it cannot be reached, is no model, or a file is not what its card says. OutputError: too
            little disk, or the folder cannot be written.
    """
    listed = asked(hub_id, PATTERNS, revision)
    if listed is not None:
        # linked rather than copied where cache and folder are on one disk, so nothing is there twice
        kept = 0 if with_cache(folder) else sum(file.size for file in listed.files)
        check_disk(hub_id, [listed], kept, folder)
    found = fetch(hub_id, PATTERNS, "that of its card", revision).folder
    read_model_card(found)
    with swapped(folder) as work:
        for source in sorted(found.rglob("*")):
            place = work / source.relative_to(found)
            if source.is_file() and _is_wanted(place.relative_to(work)):
                with writing(place):
                    place.parent.mkdir(parents=True, exist_ok=True)
                    _link(source, place)
        check_whole(work)


def check_whole(folder: Path) -> int:
    """Compare every weights file of a model folder with its manifest, by its SHA-256 taken now; their bytes.

    Raises:
        WeightsError: one is missing, truncated or changed, or there are none.
    """
    read_model_card(folder)
    size = 0
    for card in sorted(folder.glob(f"*/{PART_CARD}")):
        fields = read_fields(card, WeightsError, "Get or convert the model again.")
        if FILES not in fields:
            continue
        manifest = Manifest(fields)
        for name in manifest.entries:
            manifest.check(card.parent / name, fresh=True)
            size += (card.parent / name).stat().st_size
    if not size:
        raise WeightsError(f"{folder} holds no weights", "Get or convert the model again.")
    return size


def _is_wanted(path: Path) -> bool:
    """A file of a half or one of the top: what else the cache has of the repository is not the model's."""
    top = path.parts[0]
    graph = len(path.parts) == 1 and path.suffix == ".onnx"
    return graph or (len(path.parts) == 2 and top in PARTS) or path.as_posix() in PATTERNS


def _link(source: Path, place: Path) -> None:
    """One file under two names where the disk can; the cache's blobs are replaced, never written into."""
    real = Path(os.path.realpath(source))
    try:
        os.link(real, place)
    except OSError:
        shutil.copyfile(real, place)
