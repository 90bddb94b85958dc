"""ViT, triplane transformer and the whole model: against torch's own attention, and by invariants."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from geco.errors import ConfigError
from geco.reconstruct.instantmesh.config import RELEASED, InstantMeshConfig
from geco.reconstruct.instantmesh.model import InstantMesh
from geco.reconstruct.instantmesh.transformer import Attention
from geco.reconstruct.vit import interpolate_positions
from tests.reconstruct import tiny

# Parameter counts of the released checkpoints (manifests of the reference data).
COUNTS = {
    "instant-nerf-base": 313_249_004,
    "instant-nerf-large": 378_477_332,
    "instant-mesh-base": 313_352_516,
    "instant-mesh-large": 378_657_644,
}


@pytest.mark.parametrize("context_dim", [32, 20])
def test_attention_is_torchs(context_dim: int) -> None:
    torch.manual_seed(0)
    theirs = nn.MultiheadAttention(32, 4, bias=False, kdim=context_dim, vdim=context_dim, batch_first=True)
    ours = Attention(32, context_dim, 4)
    ours.load_state_dict(theirs.state_dict(), strict=True)  # packed exactly when torch packs
    queries, context = torch.randn(2, 5, 32), torch.randn(2, 7, context_dim)
    expected = theirs(queries, context, context, need_weights=False)[0]
    torch.testing.assert_close(ours(queries, context), expected, atol=1e-6, rtol=1e-5)


def test_positions_are_left_alone_at_the_trained_size_only() -> None:
    positions = torch.randn(1, 17, 5)
    assert interpolate_positions(positions, 4, 4) is positions
    # As many patches in another shape are still resized.
    other = interpolate_positions(positions, 2, 8, square=False)
    assert other.shape == positions.shape
    assert not torch.equal(other, positions)


@pytest.mark.parametrize("size", [(4, 4), (6, 6), (20, 20), (3, 7), (14, 2)])
def test_positions_interpolate_constants_exactly_and_keep_cls(size: tuple[int, int]) -> None:
    positions = torch.full((1, 1 + 9, 2), 0.75)
    positions[:, 0] = 9.0
    out = interpolate_positions(positions, *size)
    assert out.shape == (1, 1 + size[0] * size[1], 2)
    assert (out[:, 0] == 9.0).all()
    torch.testing.assert_close(out[:, 1:], torch.full_like(out[:, 1:], 0.75))


def test_untrained_modulation_ignores_cameras_and_a_trained_one_does_not() -> None:
    images, cameras = tiny.views()
    fresh = InstantMesh(tiny.config("mesh")).eval()
    trained = tiny.model("mesh")
    with torch.no_grad():
        assert torch.equal(fresh.encoder(images, cameras), fresh.encoder(images, cameras * 2))
        assert not torch.allclose(
            trained.encoder(images, cameras), trained.encoder(images, cameras * 2), atol=1e-3
        )


def test_views_are_encoded_apart_and_planes_do_not_depend_on_their_order() -> None:
    made = tiny.model("nerf").double()
    images, cameras = (x.double() for x in tiny.views(count=3))
    order = [2, 0, 1]
    with torch.no_grad():
        tokens = made.encoder(images, cameras).reshape(1, 3, -1, 24)
        shuffled = made.encoder(images[:, order], cameras[:, order]).reshape(1, 3, -1, 24)
        torch.testing.assert_close(tokens[:, order], shuffled)
        torch.testing.assert_close(made(images, cameras), made(images[:, order], cameras[:, order]))


def test_a_batch_is_its_items() -> None:
    made = tiny.model("mesh").double()
    images, cameras = (x.double() for x in tiny.views(batch=3))
    with torch.no_grad():
        whole = made(images, cameras)
        assert whole.shape == (3, 3, 4, 8, 8)
        for i in range(3):
            torch.testing.assert_close(whole[i : i + 1], made(images[i : i + 1], cameras[i : i + 1]))


def test_checkpointing_changes_no_gradient() -> None:
    made = tiny.model("nerf").double()
    images, cameras = (x.double() for x in tiny.views())
    gradients = []
    for checkpointing in (False, True):
        made.transformer.gradient_checkpointing = checkpointing
        made.zero_grad()
        made(images, cameras).square().mean().backward()
        gradients.append([p.grad.clone() for p in made.parameters() if p.grad is not None])
    assert len(gradients[0]) == len(gradients[1]) > 50
    for a, b in zip(*gradients):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("name", sorted(RELEASED))
def test_released_sizes_build_without_memory(name: str) -> None:
    made = InstantMesh.on_meta(RELEASED[name])
    assert sum(p.numel() for p in made.parameters()) == COUNTS[name]
    assert all(p.is_meta for p in made.parameters())
    assert set(made.state_dict()) == {n for n, _ in made.named_parameters()}  # no buffers


def test_settings_survive_json_and_bad_ones_are_named() -> None:
    config = tiny.config("nerf")
    assert InstantMeshConfig.from_dict(config.to_dict()) == config
    with pytest.raises(ConfigError, match="colour_space"):
        InstantMeshConfig.from_dict({**config.to_dict(), "colour_space": 1})
    with pytest.raises(ConfigError, match="triplane_high_res"):
        tiny.config("mesh", triplane_high_res=9)
    with pytest.raises(ConfigError, match="kind"):
        tiny.config("voxels")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="patches"):
        tiny.model("mesh")(torch.rand(1, 1, 3, 40, 40), torch.rand(1, 1, 16))


def test_training_under_autocast_stays_close_and_finite() -> None:
    made = tiny.model("nerf")
    images, cameras = tiny.views()
    points = torch.rand(1, 40, 3) * 2 - 1
    exact = made.synthesizer.points(made(images, cameras), points)[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = made.synthesizer.points(made(images, cameras), points)[0]
    assert mixed.dtype == torch.float32
    assert 0 < (mixed - exact).abs().max() < 0.05
    mixed.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in made.parameters() if p.grad is not None)
