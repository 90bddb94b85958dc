"""From a model's name to its folder on this machine: a folder as it is, a product by name, a hub id.

``geco get`` makes one ready (:func:`get`); whatever else takes a model's name asks :func:`find_folder`.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

from geco.errors import ConfigError, MissingExtraError, OutputError, WeightsError
from geco.locks import LOCK, locked
from geco.model_files.cache import user_cache
from geco.model_files.card import CARD, RECONSTRUCTOR, is_model, read_model_card
from geco.model_files.disk import check_disk
from geco.model_files.download import Listing
from geco.model_files.hub import PINNED, asked, is_hub_id
from geco.model_files.hub_folder import check_whole, fetch_folder, kind_of
from geco.model_files.part import read_part_card
from geco.model_files.products import DEFAULT_RECONSTRUCTOR, PRODUCTS, Product, find_product, offer


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
    if product is not None and product.is_here():
        return product.folder
    if product is not None and name == product.name:
        raise offer(product)
    if is_hub_id(name):
        folder = _folder_of(name)
        return folder if (folder / CARD).is_file() else get(name)
    raise WeightsError(
        f"no model {name!r}: neither 'small', a model folder, nor a hub id",
        f"Names are {', '.join(PRODUCTS)} (see geco get).",
    )


def get(
    name: str, output: Path | None = None, precision: str = "float16", revision: str | None = None
) -> Path:
    """Make a model ready; its folder. One that is here already is looked through instead, and made again
    where it is damaged.

    Args:
        name: of a product, or a hub id.
        output: where its folder shall be; the user's cache if left out, where the name finds it.
        precision: as for :func:`geco.torch_runtime.convert.convert_public`.
        revision: of a hub id's repository; needs ``output``.

    Raises:
        WeightsError: no such model, or the hub cannot be reached. OutputError: too little disk, another
            process is writing the folder, it cannot be written, or holds another model. ConfigError: a
            revision without a place or of a product.
    """
    product = None if revision else find_product(name)
    if product is None and not is_hub_id(name):
        problem = f"there is no model {name!r} to get" + (" at a revision" if revision else "")
        raise WeightsError(problem, f"There are {', '.join(PRODUCTS)}, and OWNER/NAME of the hub.")
    if revision and output is None:
        raise ConfigError("a model at a revision of your own has no name", "Say where it shall be: -o DIR.")
    folder = output or (product.folder if product else _folder_of(name))
    if output is not None and (output / CARD).is_file():
        _check_same(output, product)
    with locked(folder, LOCK):
        if _is_whole(folder):
            print(f"{name} is here and whole", file=sys.stderr)
            return folder
        _need("huggingface_hub", name)
        if product is not None:
            _make(product, folder, precision)
        elif kind_of(name, revision) == "geco":
            fetch_folder(name, folder, revision)
        else:
            _convert_pipeline(name, folder, precision, revision)
    return folder


def _is_whole(folder: Path) -> bool:
    """Whether a model is there, every file as its manifest says; a damaged one is told."""
    if not (folder / CARD).is_file():
        return False
    try:
        check_whole(folder)
    except WeightsError as error:
        print(f"geco: {error.problem}; it is made again", file=sys.stderr)
        if not is_model(folder):  # no user's folder: that has been looked at
            (folder / CARD).unlink()
        return False
    return True


def _make(product: Product, folder: Path, precision: str) -> None:
    print(f"{product.name}: {product.what}", file=sys.stderr)
    print(f"licence: {product.licence}", file=sys.stderr)
    told = _listings(product)
    if told:  # else what is in the cache may do
        files = [file for listed in told for file in listed.files]
        kept = sum(file.size for file in files if not file.path.startswith("text_encoder/"))
        check_disk(product.name, told, kept, folder)
    _need("torch", product.name)
    if product.reconstructor:
        from geco.torch_runtime.convert import Halves, convert_public

        multiview, unet = (source.repository for source in product.sources[:2])
        convert_public(Halves(multiview, product.reconstructor, unet), folder, precision)
    else:
        from geco.public_weights import triposr

        triposr.convert(product.sources[0].repository, folder)


def _listings(product: Product) -> list[Listing]:
    """Of all sources; empty without a line, after one question."""
    told = []
    for source in product.sources:
        listed = asked(source.repository, source.patterns)
        if listed is None:
            return []
        told.append(listed)
    return told


def _convert_pipeline(hub_id: str, folder: Path, precision: str, revision: str | None) -> None:
    """Somebody's Zero123++ with the usual UNet and reconstructor."""
    _need("torch", hub_id)
    from geco.torch_runtime.convert import Halves, convert_public, usual_unet

    halves = Halves(hub_id, DEFAULT_RECONSTRUCTOR, usual_unet(hub_id), revision=revision)
    convert_public(halves, folder, precision)


def _check_same(folder: Path, product: Product | None) -> None:
    """Raise OutputError unless the model in a folder that the user named is the one that is asked for."""
    card = read_model_card(folder)
    same = product is not None and card["family"] == product.family
    if same and product is not None and product.reconstructor:
        fields = read_part_card(folder / RECONSTRUCTOR)
        same = fields.text("name", default="") == product.reconstructor
    if not same:
        raise OutputError(f"{folder} holds a model already", "Choose another folder with -o.")


def _folder_of(hub_id: str) -> Path:
    """At another pinned commit it is another folder."""
    pin = PINNED.get(hub_id)
    return user_cache() / (hub_id.replace("/", "--") + (f"-{pin.revision[:12]}" if pin else ""))


def _need(package: str, name: str) -> None:
    if find_spec(package) is None:
        raise MissingExtraError(package, "torch", f"getting {name}")
