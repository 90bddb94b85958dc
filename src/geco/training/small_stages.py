"""The stages that only the small family has, put together: from nothing, or from an earlier run, to a task;
the full family's teacher and reconstructor are public. Each is ``stage(options, inputs)``.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from geco.data.dataset import GridViews
from geco.data.labels.shards import label_shards
from geco.data.shards import HELD_OUT
from geco.errors import ConfigError
from geco.metrics.features.network import Autoencoder
from geco.metrics.features.weights import load_autoencoder, save_autoencoder
from geco.model_files.card import AUTOENCODER, MULTIVIEW, PIXELNERF, RECONSTRUCTOR, write_model_card
from geco.multiview.small.network import SmallMultiView, resized
from geco.multiview.small.weights import load_small, save_small
from geco.reconstruct.pixelnerf.model import PixelNeRF
from geco.reconstruct.small.config import SmallReconstructorConfig
from geco.reconstruct.small.model import SmallReconstructor
from geco.training.autoencoder import AutoencoderOptions, AutoencoderTask
from geco.training.family import finish
from geco.training.inputs import Inputs
from geco.training.pixelnerf import PixelNeRFTask
from geco.training.pixelnerf_options import PixelNeRFOptions
from geco.training.reconstructor import ReconstructorTask, validation_batches
from geco.training.reconstructor_data import ReconstructorData
from geco.training.reconstructor_options import ReconstructorOptions
from geco.training.six_views import open_views
from geco.training.small_family import LICENCE, SMALL
from geco.training.state import first_weights
from geco.training.teacher import TeacherOptions, TeacherTask


def teacher(options: TeacherOptions, inputs: Inputs) -> TeacherTask:
    """Stage 0, from nothing or from ``inputs.init``'s multi-view half, which may have been trained on views
    of another size.
    """
    data, init = open_views(inputs.shards, inputs.machine.device), inputs.init
    if init is not None:
        network = resized(load_small(init / MULTIVIEW), data.size)
    else:
        with first_weights(inputs.seed, "teacher"):
            network = SmallMultiView(replace(inputs.sizes.multiview, size=data.size))

    def save(trained: SmallMultiView, folder: Path) -> None:
        save_small(trained, folder / MULTIVIEW)
        finish(SMALL, folder, init, {**inputs.facts, "stage": "teacher"})

    return TeacherTask(options, inputs, network.train(), data, save, _held_out(inputs))


def reconstructor(options: ReconstructorOptions, inputs: Inputs) -> ReconstructorTask:
    """Six views to a surface; labels the shards first where that is not done. The run folder carries
    ``inputs.init``'s teacher along.

    Raises:
        ConfigError: options.predicted_share without a network in ``inputs.init`` that predicts views.
    """
    init = inputs.init
    guide = None
    if options.predicted_share:
        if init is None or not (init / MULTIVIEW).exists():
            raise ConfigError(
                "predicted_share needs a network that predicts views",
                "Give --init TEACHER, or --set predicted_share=0.",
            )
        guide = load_small(init / MULTIVIEW)
    data, network = _labelled(inputs, inputs.sizes.reconstructor)

    def save(trained: SmallReconstructor, folder: Path, about: dict[str, Any]) -> None:
        trained.save(folder / RECONSTRUCTOR, about)
        finish(SMALL, folder, init, {**inputs.facts, "stage": "reconstructor"})

    return ReconstructorTask(options, inputs, network, data, save, _reconstructor_checks(inputs), guide)


def regressor(options: ReconstructorOptions, inputs: Inputs) -> ReconstructorTask:
    """One picture to a surface, from nothing; labels the shards first where that is not done."""
    data, network = _labelled(replace(inputs, init=None), inputs.sizes.regressor)

    def save(trained: SmallReconstructor, folder: Path, about: dict[str, Any]) -> None:
        trained.save(folder / RECONSTRUCTOR, about)
        finish(SMALL, folder, None, {**inputs.facts, "stage": "regressor", "views": False})

    return ReconstructorTask(options, inputs, network, data, save, _reconstructor_checks(inputs))


def pixelnerf(options: PixelNeRFOptions, inputs: Inputs) -> PixelNeRFTask:
    """One or several pictures to a radiance field, from nothing."""
    data = open_views(inputs.shards, inputs.machine.device)
    with first_weights(inputs.seed, "pixelnerf"):
        network = PixelNeRF(replace(inputs.sizes.pixelnerf, view_size=data.size))

    def save(trained: PixelNeRF, folder: Path, about: dict[str, Any]) -> None:
        trained.save(folder / RECONSTRUCTOR, about)
        facts = {**inputs.facts, "stage": "pixelnerf", "views": False}
        write_model_card(folder, PIXELNERF, LICENCE, facts)

    return PixelNeRFTask(options, inputs, network.train(), data, save, _held_out(inputs))


def autoencoder(options: AutoencoderOptions, inputs: Inputs) -> AutoencoderTask:
    """The features of Stage II's perceptual distance, from nothing or from an earlier run ``inputs.init``.
    The run is no model.

    Raises:
        ConfigError: the views' side is no multiple of the network's factor.
    """
    data = open_views(inputs.shards, inputs.machine.device)
    if inputs.init is not None:
        network = load_autoencoder(inputs.init / AUTOENCODER)
    else:
        with first_weights(inputs.seed, "autoencoder"):
            network = Autoencoder(inputs.sizes.autoencoder)
    if data.size % network.config.factor:
        raise ConfigError(
            f"views of {data.size} px do not halve into {network.config.factor}", "Render another --size."
        )
    facts = {**inputs.facts, "stage": "autoencoder", "view_size": data.size}

    def save(trained: Autoencoder, folder: Path) -> None:
        save_autoencoder(trained, folder / AUTOENCODER, LICENCE, facts)
        write_model_card(folder, AUTOENCODER, LICENCE, facts)

    return AutoencoderTask(options, inputs, network.train(), data, save, _held_out(inputs))


def check_size(size: int, shards: GridViews, init: Path | None) -> None:
    """Raises ConfigError where the network in ``init`` sees views of another size than the shards hold."""
    if size != shards.size:
        raise ConfigError(
            f"{init} sees views of {size} px, the shards hold {shards.size} px", f"Render with --size {size}."
        )


def _labelled(
    inputs: Inputs, config: SmallReconstructorConfig
) -> tuple[ReconstructorData, SmallReconstructor]:
    """The shards, with labels of their points, and the network to be trained on them."""
    for folder in (inputs.shards, inputs.held_out):
        if folder is not None:
            label_shards(folder, 0, lambda line: print(line, flush=True), os.cpu_count() or 1)
    data, init = ReconstructorData(open_views(inputs.shards, inputs.machine.device)), inputs.init
    if init is not None and (init / RECONSTRUCTOR).exists():
        network = SmallReconstructor.load(init / RECONSTRUCTOR)
    else:
        with first_weights(inputs.seed, "reconstructor"):
            network = SmallReconstructor(replace(config, view_size=data.shards.size))
    check_size(network.config.view_size, data.shards, init)
    return data, network.train()


def _held_out(inputs: Inputs) -> dict[str, GridViews]:
    return {HELD_OUT: GridViews(inputs.held_out)} if inputs.held_out else {}


def _reconstructor_checks(inputs: Inputs) -> Any:
    return validation_batches(inputs.held_out) if inputs.held_out else None
