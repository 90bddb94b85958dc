"""Pictures between the two halves stay where the networks left them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from geco.model_files.card import MULTIVIEW, RECONSTRUCTOR
from geco.pipeline import GecoPipeline
from geco.public_weights import instantmesh
from geco.public_weights.zero123plus_folder import load_zero123plus
from geco.reconstruct.instantmesh.surface import MeshSurface
from geco.sampling import Sampling
from geco.torch_runtime.full import FullNetworks, joined
from geco.torch_runtime.pictures import DevicePictures
from tests.pictures import ball_picture
from tests.torch_runtime.build import full_folder

CPU, META = torch.device("cpu"), torch.device("meta")


def test_pictures_have_two_forms_and_each_is_made_once() -> None:
    array = np.random.default_rng(0).random((2, 6, 4, 5, 3)).astype(np.float32)
    pictures = DevicePictures(array)
    tensor = pictures.on(CPU)
    assert tensor.shape == (2, 6, 3, 4, 5) and pictures.on(CPU) is tensor
    back = DevicePictures(tensor)
    assert back.shape == pictures.shape == array.shape and len(back) == 2 and back.on(CPU) is tensor
    assert back[1].on(CPU).data_ptr() == tensor[1].data_ptr()  # a seed of a batch is no copy
    np.testing.assert_array_equal(np.asarray(back[1]), array[1])
    assert np.asarray(back) is back.numpy() and DevicePictures.of(back) is back
    assert np.asarray(back, np.float64).dtype == np.float64


def test_views_never_leave_the_device_between_the_halves(tmp_path: Path) -> None:
    """Nothing can be brought to the host from the meta device, so any trip would be an error."""
    folder = full_folder(tmp_path)
    card = GecoPipeline.from_pretrained(folder, "cpu").card
    views, meshes = load_zero123plus(folder / MULTIVIEW), instantmesh.load(folder / RECONSTRUCTOR)
    backend = joined(FullNetworks(views, meshes).to(META), card, Sampling())
    seen = GecoPipeline(backend).see(ball_picture(64))
    first, second = GecoPipeline(backend).views(seen, [3, 4])
    fields = backend.reconstruct(second.drawn, seen.read)
    assert isinstance(fields, MeshSurface) and fields.planes.device == META
    assert first.drawn.shape == (6, 32, 32, 3)
    with pytest.raises(NotImplementedError, match="meta"):
        _ = first.pictures
