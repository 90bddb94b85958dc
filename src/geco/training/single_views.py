"""Second teachers of Stage I as they lie on disk, for either family: what scores its samples view by view."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from geco.errors import ConfigError
from geco.model_files.card import MULTIVIEW
from geco.multiview.interface import Condition
from geco.multiview.small.network import SmallMultiView
from geco.multiview.small.weights import load_small
from geco.multiview.zero123plus.codec import Zero123PlusCodec
from geco.multiview.zero123plus.latents import COLUMNS, ROWS, encode_picture
from geco.public_weights.single_view import load_single_view
from geco.training.halves import SingleViews, Views
from geco.training.stage1_options import Stage1Options

Open = Callable[[Path, Views, Stage1Options], SingleViews]


def find_second(open_it: Open, options: Stage1Options, folder: Path | None, views: Views) -> Views:
    """``views`` with the second teacher that ``options`` ask for, if any, opened as the family does.

    Raises:
        ConfigError: it is needed and ``folder`` is None, or the reverse.
    """
    if (folder is None) != (not options.second_weight):
        raise ConfigError(
            "a second teacher needs both --second-teacher DIR and --set second_weight=W, not one of them",
            "Give both, or neither.",
        )
    return views if folder is None else replace(views, second=open_it(folder, views, options))


def views_apart(folder: Path, views: Views) -> SingleViews:
    """A small teacher whose views do not see each other; it reads the generator's own pixels."""
    network, like = load_small(folder / MULTIVIEW), cast(SmallMultiView, views.network)
    ours, its = ((each.size, each.rig) for each in (like.config, network.config))
    if ours != its:
        raise ConfigError(
            f"{folder} has views of {its[0]} px around {its[1]}, --init of {ours[0]} px around {ours[1]}",
            "Train one of the same.",
        )
    if not network.config.apart:
        raise ConfigError(
            f"the views of {folder} see each other: it is no teacher of single views",
            "Train one: geco train teacher --set multiview.apart=true --set multiview.volume=0.",
        )
    return SingleViews(network, views.codec, lambda x0: x0, lambda condition: condition)


def tiles_of_sheet(folder: Path, views: Views, options: Stage1Options) -> SingleViews:
    """Stable Diffusion's UNet on the VAE's latents of every view, under the empty prompt. Views are
    decoded from the sheet and encoded again: its latents are scaled otherwise, and its tiles touch.
    """
    if options.second_guidance != 1:
        raise ConfigError(
            "the second teacher of the full family is not told the picture, so it has no guidance",
            "Leave second_guidance at 1.",
        )
    codec = views.codec
    if not isinstance(codec, Zero123PlusCodec):
        raise ConfigError(
            "a second teacher has single views encoded, which --latents leaves out", "Leave --latents out."
        )
    channels, height, width = views.network.sample_shape
    shape = (channels, height // ROWS, width // COLUMNS)
    network = load_single_view(folder, shape, codec.text_states.shape[-1], codec.device)
    if options.checkpointing and not options.rank:
        network.recompute()

    def split(x0: Tensor) -> Tensor:
        pictures = codec.decode(x0).flatten(0, 1)
        return torch.cat([encode_picture(codec.vae, picture) for picture in pictures.split(1)])

    def told(condition: Condition) -> Condition:
        assert condition.text is not None
        return Condition(None, codec.text_states.expand(ROWS * COLUMNS * len(condition.text), -1, -1))

    return SingleViews(network, codec, split, told)
