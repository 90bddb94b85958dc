"""The model folder of the torch runtime: a card, the multi-view half and the reconstructor half, each in its
own folder.

``config.json`` says which family; ``multiview/`` and ``reconstructor/`` are folders of the family's own
loaders.
"""

from __future__ import annotations

import os
from pathlib import Path

from geco.device import choose
from geco.errors import WeightsError
from geco.model_files.card import AUTOENCODER, CARD, PIXELNERF, read_model_card, shown_name
from geco.torch_runtime.backend import TorchBackend
from geco.torch_runtime.full import full_backend
from geco.torch_runtime.pixelnerf import pixelnerf_backend
from geco.torch_runtime.small import small_backend
from geco.torch_runtime.triposr import triposr_backend

BUILDERS = {
    "full": full_backend,
    "small": small_backend,
    "triposr": triposr_backend,
    PIXELNERF: pixelnerf_backend,
}


def load_backend(
    source: str | os.PathLike[str], device: str | None = None, name: str | None = None
) -> TorchBackend:
    """A model folder, ready to run.

    Args:
        source: the folder.
        name: what the model is called; the folder's own name if left out.

    Raises:
        WeightsError: it is not a model folder, or a part is missing or damaged.
    """
    folder = Path(source)
    card = read_model_card(folder)
    placement = choose(device)
    if card["family"] == AUTOENCODER:
        raise WeightsError(
            f"{folder} holds an autoencoder, a perceptual distance: there is no generator in it",
            "Give the run of another stage; this one is for: geco distill stage2 --perceptual.",
        )
    build = BUILDERS.get(card["family"])
    if build is None:
        raise WeightsError(
            f"{folder / CARD} names the family {card['family']!r}", f"Known are {', '.join(BUILDERS)}."
        )
    if card["family"] != "full":
        placement.check_ways((), f"a model of the family {card['family']}")
    return build(folder, card, placement, name or shown_name(folder))
