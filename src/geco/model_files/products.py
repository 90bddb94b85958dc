"""The public models that ``geco get NAME`` makes ready: what each is, its sources, sizes and licence.

The one table behind ``geco get``, ``geco info``, every ``--model NAME`` and docs/public-models.md. Revisions
and hashes are those of :data:`geco.model_files.hub.PINNED`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from geco.errors import WeightsError
from geco.model_files.cache import user_cache
from geco.model_files.card import CARD
from geco.model_files.hub import INSTANTMESH, PINNED, TRIPOSR, ZERO123PLUS

GB = 1e9
# What of a Zero123++ pipeline is read, besides its UNet's weights: text encoder and tokenizer run once, for
# the empty prompt.
PIPELINE_FILES = (
    *("model_index.json", "unet/config.json", "vae/*", "vision_encoder/*", "text_encoder/*", "tokenizer/*"),
    *("scheduler/*", "feature_extractor_*"),
)
DEFAULT_RECONSTRUCTOR = "instant-mesh-large"  # the one that GECO's paper builds on
INSTANTMESH_UNET = "diffusion_pytorch_model.bin"  # the white-background UNet in InstantMesh's repository
NON_COMMERCIAL = "CC-BY-NC-4.0"
_ZERO123PLUS_LICENCE = f"views: {NON_COMMERCIAL} (weights non-commercial; what you generate is yours)"
_INSTANTMESH_LICENCE = f"{_ZERO123PLUS_LICENCE}; reconstructor: Apache-2.0"


@dataclass(frozen=True)
class Source:
    """Files of one hub repository.

    Attributes:
        repository: hub id, pinned in :data:`geco.model_files.hub.PINNED`.
        patterns: of the files, as :func:`geco.model_files.hub.fetch` takes them.
        size: bytes of them, to three digits: a float32 checkpoint's by its network's number of parameters
            (a test compares them), the others' as public projects state them; none was seen on the hub.
    """

    repository: str
    patterns: tuple[str, ...]
    size: float


@dataclass(frozen=True)
class Product:
    """A public model by name.

    Attributes:
        name: what ``geco get`` and ``--model`` take.
        what: one line.
        sources: what is fetched.
        licence: of the weights; see :data:`geco.public_weights.licences.LICENCES`.
        folder_size: bytes of the model folder; its parts' sizes by the networks' number of parameters.
        memory: bytes of weights on the device, in the format they run in there by default.
        reconstructor: InstantMesh's name of it; "" for a model that has no such half.
    """

    name: str
    what: str
    sources: tuple[Source, ...]
    licence: str
    folder_size: float
    memory: float
    reconstructor: str = ""

    @property
    def family(self) -> str:
        """Of the folder's card."""
        return "full" if self.reconstructor else "triposr"

    @property
    def download(self) -> float:
        """Bytes of all sources."""
        return sum(source.size for source in self.sources)

    @property
    def folder(self) -> Path:
        """Where the ready folder is kept: named after the commits that it is made of."""
        commits = dict.fromkeys(PINNED[source.repository].revision[:7] for source in self.sources)
        return user_cache() / "-".join([self.name, *commits])

    def is_here(self) -> bool:
        """Whether the folder is there and whole: its card is written last."""
        try:
            return (self.folder / CARD).is_file()
        except WeightsError:  # no home
            return False

    def sizes(self) -> str:
        """``5.3 GB to fetch, 10.0 GB of disk in all``."""
        whole = self.download + self.folder_size
        return f"{self.download / GB:.1f} GB to fetch, {whole / GB:.1f} GB of disk in all"


# Zero123++ v1.2 without its own UNet (3.46 GB), which InstantMesh's takes the place of: the vision tower
# (1.26 GB), the text encoder (0.681), the VAE (0.167), stored in float16, and small files.
_VIEWS = Source(ZERO123PLUS, PIPELINE_FILES, 2.11e9)
_UNET = Source(INSTANTMESH, (INSTANTMESH_UNET,), 1.73e9)
_VIEWS_FOLDER = 1.73e9 + 1.26e9 + 0.17e9  # UNet, vision tower, VAE in float16; the text encoder is not kept


def checkpoint_file(reconstructor: str) -> str:
    """What a released reconstructor is called in InstantMesh's repository."""
    return f"{reconstructor.replace('-', '_')}.ckpt"


def _instantmesh(name: str, reconstructor: str, what: str, size: float) -> Product:
    checkpoint = Source(INSTANTMESH, (checkpoint_file(reconstructor),), size)
    folder = _VIEWS_FOLDER + size  # float32, as the public code runs it
    sources = (_VIEWS, _UNET, checkpoint)
    return Product(name, what, sources, _INSTANTMESH_LICENCE, folder, folder, reconstructor)


PRODUCTS: dict[str, Product] = {
    product.name: product
    for product in (
        _instantmesh(
            "instantmesh",
            DEFAULT_RECONSTRUCTOR,
            "Zero123++ v1.2 with InstantMesh's white-background UNet, and instant-mesh-large",
            1.51e9,
        ),
        _instantmesh(
            "instantmesh-base", "instant-mesh-base", "the same views, and instant-mesh-base", 1.25e9
        ),
        _instantmesh(
            "instantmesh-nerf", "instant-nerf-large", "the same views, and instant-nerf-large", 1.51e9
        ),
        _instantmesh(
            "instantmesh-nerf-base", "instant-nerf-base", "the same views, and instant-nerf-base", 1.25e9
        ),
        Product(
            "triposr",
            "TripoSR: one picture to a density, no views and no seeds",
            (Source(TRIPOSR, ("config.yaml", "model.ckpt"), 1.68e9),),
            "MIT",
            1.68e9,
            1.68e9,
        ),
    )
}
# Hub ids that mean one of them.
ALIASES = {ZERO123PLUS: "instantmesh", INSTANTMESH: "instantmesh", TRIPOSR: "triposr"}


def find_product(name: str) -> Product | None:
    """The product of a name or a hub id that means one; None for anything else."""
    return PRODUCTS.get(ALIASES.get(name, name))


def offer(product: Product) -> WeightsError:
    """The error to raise where a model is asked for by a name that is not here yet."""
    return WeightsError(
        f"the model {product.name} is not here yet",
        f"Get it with: geco get {product.name} ({product.sizes()}; licence: {product.licence}).",
    )
