"""From a model's name to its folder on this machine: a folder as it is, a product by name, a hub id.

``geco get`` makes one ready (:func:`get`); whatever else takes a model's name asks :func:`find_folder`.
"""

from __future__ import annotations

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from geco.errors import MissingExtraError, OutputError, WeightsError
from geco.locks import LOCK, locked
from geco.model_files.cache import user_cache
from geco.model_files.card import CARD
from geco.model_files.hub import PINNED, asked, is_hub_id
from geco.model_files.products import GB, PRODUCTS, Product, find_product, offer

SPARE = 0.1 * GB  # bytes beyond what is needed: locks, listings, the pictures of the next minute


def find_folder(model: str | os.PathLike[str]) -> Path:
    """The model folder that a name means. A hub id is fetched and converted at its first use, as that is what
    a hub id is everywhere; a product's name is not, as nobody would expect gigabytes.

    Raises:
        WeightsError: it means nothing, or a product that is not here yet (the error says how to get it); the
            hub cannot be reached, or has no such model.
    """
    path, name = Path(model), os.fspath(model)
    if path.is_dir():
        return path
    product = find_product(name)
    if product is not None and (product.is_here() or name == product.name):
        if not product.is_here():
            raise offer(product)
        return product.folder
    if is_hub_id(name):
        return get(name)
    raise WeightsError(
        f"no model {name!r}: neither 'small', a model folder, nor a hub id",
        f"A name is one of {', '.join(PRODUCTS)}; see geco get.",
    )


def get(name: str, output: Path | None = None, precision: str = "float16") -> Path:
    """Make a model ready; its folder.

    Args:
        name: of a product, or a hub id.
        output: where its folder shall be; the user's cache if left out, where the name finds it.
        precision: as for :func:`geco.torch_runtime.convert.convert_public`.

    Raises:
        WeightsError: no such model, or the hub cannot be reached. OutputError: too little disk, another
            process is writing the folder, or it cannot be written.
    """
    product = find_product(name)
    if product is None and not is_hub_id(name):
        raise WeightsError(f"there is no model {name!r} to get", f"There are {', '.join(PRODUCTS)}.")
    folder = output or (product.folder if product else _folder_of(name))
    if (folder / CARD).is_file() and output is None:
        return folder
    _need(name, "huggingface_hub", "torch")
    with locked(folder, LOCK):
        if product is not None:
            _make(product, folder, precision)
        else:
            _make_of_hub(name, folder, precision)
    return folder


def _make(product: Product, folder: Path, precision: str) -> None:
    print(f"{product.name}: {product.what}", file=sys.stderr)
    print(f"licence: {product.licence}", file=sys.stderr)
    check_disk(product, folder)
    if product.reconstructor:
        from geco.torch_runtime.convert import Halves, convert_public

        multiview, unet = (source.repository for source in product.sources[:2])
        convert_public(Halves(multiview, product.reconstructor, unet), folder, precision)
        return
    from geco.public_weights import triposr

    triposr.convert(product.sources[0].repository, folder)


def check_disk(product: Product, folder: Path) -> None:
    """Say what is needed, and refuse what the disk has not.

    Raises:
        OutputError: it has not that much.
    """
    to_fetch = total = 0
    for source in product.sources:
        found = asked(source.repository, source.patterns)
        if found is None:  # what is in the cache may do
            return
        to_fetch += found.to_fetch()
        total += sum(file.size for file in found.files if not file.path.startswith("text_encoder/"))
    cache = _cache_of_hub()
    free = {place: _free(place) for place in (cache, folder)}
    print(
        f"disk: {to_fetch / GB:.2f} GB to fetch into {cache}, {total / GB:.2f} GB for {folder}; "
        f"{free[folder] / GB:.1f} GB are free",
        file=sys.stderr,
    )
    together = _device(cache) == _device(folder)
    needs = [(folder, total + (to_fetch if together else 0))]
    needs += [] if together else [(cache, to_fetch)]
    for place, need in needs:
        if need + SPARE > free[place]:
            there = f"{free[place] / GB:.1f} GB are free"
            raise OutputError(
                f"{product.name} needs {need / GB:.1f} GB of disk at {place}, and {there}",
                "Free some, or choose other places: -o DIR for the model, HF_HOME for what is fetched.",
            )


def _make_of_hub(hub_id: str, folder: Path, precision: str) -> None:
    from geco.torch_runtime.convert import Halves, convert_public, usual_unet

    convert_public(Halves(hub_id, "instant-mesh-large", usual_unet(hub_id)), folder, precision)


def _folder_of(hub_id: str) -> Path:
    """At another revision it is another folder."""
    pin = PINNED.get(hub_id)
    return user_cache() / (hub_id.replace("/", "--") + (f"-{pin.revision[:12]}" if pin else ""))


def _cache_of_hub() -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def _free(place: Path) -> int:
    return shutil.disk_usage(_existing(place)).free


def _device(place: Path) -> int:
    return os.stat(_existing(place)).st_dev


def _existing(place: Path) -> Path:
    place = place.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    return place


def _need(name: str, package: str, extra: str) -> None:
    if find_spec(package) is None:
        raise MissingExtraError(package, extra, f"getting {name}")
