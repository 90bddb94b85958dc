"""LPIPS's two trunks, VGG16 and AlexNet: their layers, and where torchvision's weights of them come from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from geco.errors import ConfigError, WeightsError
from geco.model_files.hub import fetch_file
from geco.reading import sha256_of


@dataclass(frozen=True)
class Trunk:
    """A convolutional network up to its fifth stage.

    Attributes:
        layers: torchvision's ``features``: (channels in, out, kernel, stride, padding) of a convolution with
            ReLU, or (kernel, stride) of a max pool.
        taps: index in ``features`` (ReLUs counted) of the five layers that are compared.
        smallest: pixels a side below which the last layer has none left.
        names: beginnings of file names that hold these weights, tried in this order.
        advice: where the weights come from, for error messages.
    """

    layers: tuple[tuple[int, ...], ...]
    taps: tuple[int, ...]
    smallest: int
    names: tuple[str, ...]
    advice: str


_POOL = (2, 2)
# torchvision's VGG16_Weights.IMAGENET1K_V1 as safetensors, same names; BSD-3-Clause
VGG_HUB_ID = "timm/vgg16.tv_in1k"
# torchvision's AlexNet_Weights.IMAGENET1K_V1
ALEX_URL = "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"
ALEX_SHA256 = "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02"
TRUNKS = {
    # Simonyan and Zisserman 2015, configuration D; compared after relu1_2, 2_2, 3_3, 4_3 and 5_3
    "vgg": Trunk(
        layers=(
            *((3, 64, 3, 1, 1), (64, 64, 3, 1, 1), _POOL, (64, 128, 3, 1, 1), (128, 128, 3, 1, 1), _POOL),
            *((128, 256, 3, 1, 1), (256, 256, 3, 1, 1), (256, 256, 3, 1, 1), _POOL),
            *((256, 512, 3, 1, 1), (512, 512, 3, 1, 1), (512, 512, 3, 1, 1), _POOL),
            *((512, 512, 3, 1, 1), (512, 512, 3, 1, 1), (512, 512, 3, 1, 1)),
        ),
        taps=(3, 8, 15, 22, 29),
        smallest=16,
        names=("vgg16", "model"),
        advice=f"hf download {VGG_HUB_ID} model.safetensors --local-dir DIR (528 MB, BSD-3-Clause)",
    ),
    # Krizhevsky 2014 (arXiv 1404.5997), torchvision's AlexNet; compared after each of its five ReLUs
    "alex": Trunk(
        layers=(
            *((3, 64, 11, 4, 2), (3, 2), (64, 192, 5, 1, 2), (3, 2)),
            *((192, 384, 3, 1, 1), (384, 256, 3, 1, 1), (256, 256, 3, 1, 1)),
        ),
        taps=(1, 4, 7, 9, 11),
        smallest=31,
        names=("alexnet",),
        advice=f"{ALEX_URL} into DIR (233 MB, BSD-3-Clause)",
    ),
}


def trunk_of(kind: str) -> Trunk:
    """The trunk of that name; ConfigError for another."""
    if kind not in TRUNKS:
        raise ConfigError(f"LPIPS has no trunk {kind!r}", f"Known: {', '.join(TRUNKS)}.")
    return TRUNKS[kind]


def find_trunk(kind: str, folder: Path) -> Path:
    """The file of a trunk's weights in a folder (or the file itself); WeightsError naming what
    was looked for.
    """
    trunk = trunk_of(kind)
    if folder.is_file():
        return folder
    for name in trunk.names:
        for suffix in ("safetensors", "pth", "pt", "bin"):
            if matches := sorted(folder.glob(f"{name}*.{suffix}")):
                return matches[0]
    raise WeightsError(
        f"no weights of LPIPS's {kind} trunk ({', '.join(trunk.names)}*) in {folder}",
        f"Get them: {trunk.advice}.",
    )


def fetch_trunk(kind: str) -> Path:
    """The trunk's weights from the cache or the network; WeightsError when neither has them."""
    trunk = trunk_of(kind)
    if kind == "vgg":
        return fetch_file(VGG_HUB_ID, "model.safetensors", "BSD-3-Clause")
    path = Path(torch.hub.get_dir()) / "checkpoints" / ALEX_URL.rsplit("/", 1)[1]
    if not path.is_absolute():  # "~" that nobody could resolve
        raise WeightsError(
            "there is no home folder to have a cache in", f"Set TORCH_HOME, or get it: {trunk.advice}."
        )
    if not path.is_file():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(ALEX_URL, str(path), hash_prefix=ALEX_SHA256, progress=False)
        except (OSError, RuntimeError) as error:  # no network; no home to write; a file with another hash
            raise WeightsError(
                f"cannot fetch {ALEX_URL}: {error}", f"Get it elsewhere: {trunk.advice}."
            ) from error
    if sha256_of(path) != ALEX_SHA256:
        raise WeightsError(
            f"{path} is damaged or another file: its SHA-256 is not the published one", f"Delete {path}."
        )
    return path
