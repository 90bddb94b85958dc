"""What half precision and TF32 may touch, what they may not, and how far results move."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from geco.device import tf32
from geco.metrics.images import psnr
from geco.pipeline import GecoPipeline
from geco.reconstruct.folded import FoldedDecoder
from geco.reconstruct.instantmesh.config import RELEASED
from geco.reconstruct.instantmesh.model import InstantMesh
from geco.reconstruct.instantmesh.surface import MeshSurface
from geco.reconstruct.triplane import PLANE_AXES
from tests.multiview import tiny as views
from tests.pictures import ball_picture
from tests.reconstruct import tiny
from tests.torch_runtime.build import full_folder

# what InstantMesh.halve leaves in float32, by a part of its name
EXACT = ("norm", "adaLN", "camera_embedder", "pos_embed", "position_embeddings", "cls_token")
EXACT += ("patch_embeddings", "deconv", "synthesizer")


def test_tf32_is_for_cuda_and_is_put_back() -> None:
    for device, inside in (("cuda", "high"), ("cpu", "highest")):
        with pytest.raises(ZeroDivisionError), tf32(device):
            assert torch.get_float32_matmul_precision() == inside
            _ = 1 / 0
        assert torch.get_float32_matmul_precision() == "highest"


def test_half_precision_is_for_the_products_and_they_are_nearly_all_there_is() -> None:
    model = InstantMesh.on_meta(RELEASED["instant-mesh-large"])
    names = set(model.state_dict())
    halved = dict(model.halve(torch.bfloat16).named_parameters())
    assert set(halved) == names
    for name, parameter in halved.items():
        exact = any(part in name for part in EXACT)
        assert parameter.dtype == (torch.float32 if exact else torch.bfloat16), name
    small = sum(p.numel() for p in halved.values() if p.dtype == torch.float32)
    assert small < 0.1 * sum(p.numel() for p in halved.values())


def test_planes_and_fields_move_little_and_fields_are_float32() -> None:
    model = tiny.model("mesh")
    pictures, cameras = tiny.views()
    with torch.no_grad():
        exact, half = model(pictures, cameras), model.halve(torch.bfloat16)(pictures, cameras)
    assert half.dtype == torch.float32
    assert 1e-4 < (half - exact).square().mean().sqrt() / exact.std() < 0.02
    surfaces = [MeshSurface(model.synthesizer, planes) for planes in (exact, half)]
    net = model.synthesizer.decoder.net_sdf
    axis = model.synthesizer.axis(exact.device, 12)
    fields = [FoldedDecoder(s.planes[0], net, PLANE_AXES) for s in surfaces]
    assert fields[1].texels.dtype == torch.float32
    sdf, moved = (field.on_grid(axis, axis, axis) for field in fields)
    assert (moved - sdf).abs().max() < 0.05 * sdf.std()
    points = np.random.default_rng(0).random((300, 3)).astype(np.float32) * 2 - 1
    assert np.abs(surfaces[1].color(points) - surfaces[0].color(points)).max() < 0.01


def test_the_camera_changes_the_planes_in_float32() -> None:
    """A camera that differs by less than bfloat16 can tell still differs in what the blocks make of it."""
    model = tiny.model("mesh").halve(torch.bfloat16)
    block = model.encoder.model.encoder.layer[0]
    camera = torch.ones(1, 24)
    moved = camera * (1 + 2.0**-12)
    assert torch.equal(camera.bfloat16(), moved.bfloat16())
    with torch.no_grad():
        assert not torch.equal(block.adaLN_modulation(camera), block.adaLN_modulation(moved))


def test_noise_levels_and_conversions_are_float32_around_a_network_in_half() -> None:
    network = views.network(noised_reference=True).to(torch.bfloat16)
    condition, noise = views.condition(), torch.randn(1, 4, 8, 8)
    t = torch.tensor([700])
    seen: list[torch.Tensor] = []
    hook = network.unet.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    state = network.encode_condition(condition, t, noise)
    expected = network.schedule.add_noise(condition.picture, noise, t)
    assert expected.dtype == torch.float32 and torch.equal(seen[0], expected.bfloat16())
    x_t = torch.randn(1, *views.SHEET)
    v, x0 = (network.predict(x_t, t, state, kind) for kind in ("v", "x0"))
    hook.remove()
    assert x0.dtype == torch.float32 and v.dtype == torch.float32
    assert torch.equal(x0, network.schedule.convert(v, x_t, t, "v", "x0"))
    assert state.tensors["text"].dtype == torch.bfloat16


def test_the_same_seed_in_bfloat16_is_nearly_the_same_picture(tmp_path: Path) -> None:
    folder = full_folder(tmp_path)
    pipelines = [GecoPipeline.from_pretrained(folder, device) for device in ("cpu", "cpu,bf16")]
    drawn = [next(p.views(p.see(ball_picture(64)), [1])).pictures for p in pipelines]
    assert 35 < psnr(*drawn).mean() < 80
