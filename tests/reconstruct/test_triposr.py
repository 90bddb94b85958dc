"""TripoSR's network: its parts against the libraries that its names come from, and by invariants."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from diffusers.models.attention import BasicTransformerBlock
from safetensors.numpy import load_file
from transformers import ViTConfig as LibraryConfig
from transformers import ViTModel

from geco.cameras import project_points
from geco.errors import ConfigError
from geco.reconstruct.triposr.backbone import BackboneBlock
from geco.reconstruct.triposr.config import RELEASED, TripoSRConfig
from geco.reconstruct.triposr.decoder import activate, raw_level
from geco.reconstruct.triposr.model import TripoSR
from geco.reconstruct.triposr.renderer import render, spherical_rays
from geco.reconstruct.vit import ViT
from tests.reconstruct import tiny
from tests.reference import triposr as reference

GOLDEN = Path(__file__).parent.parent / "golden"


def test_the_decoder_and_renderer_are_the_references() -> None:
    results = list(reference.run(load_file(GOLDEN / "triposr.safetensors"), _described()))
    assert {r.case for r in results} >= {"pts_density", "pts_color", "grid_density", "render_rgb"}
    assert not [r for r in results if not r.passed]


def test_a_reference_of_other_weights_is_over_its_bound() -> None:
    tensors = load_file(GOLDEN / "triposr.safetensors")
    tensors["sd.decoder.layers.0.bias"] = tensors["sd.decoder.layers.0.bias"] + 0.01
    assert [r for r in reference.run(tensors, _described()) if not r.passed]
    del tensors["sd.decoder.layers.0.bias"]
    with pytest.raises(RuntimeError, match="Missing key"):
        list(reference.run(tensors, _described()))


@pytest.mark.parametrize("kind", ["geglu", "gelu", "gelu-approximate"])
def test_a_block_is_diffusers(kind: str) -> None:
    config = tiny.triposr_config(feed_forward=kind)
    dim = config.heads * config.head_dim
    theirs = BasicTransformerBlock(
        dim,
        config.heads,
        config.head_dim,
        cross_attention_dim=config.vit.hidden_size,
        activation_fn=kind,
    ).eval()
    ours = BackboneBlock(config).eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    tokens, picture = torch.randn(2, 10, dim), torch.randn(2, 7, config.vit.hidden_size)
    with torch.no_grad():
        expected = theirs(tokens, encoder_hidden_states=picture)
        torch.testing.assert_close(ours(tokens, picture), expected, atol=1e-5, rtol=1e-5)


def test_the_image_encoder_is_transformers() -> None:
    config = tiny.triposr_config().vit
    library = ViTModel(LibraryConfig(**config.to_dict(), hidden_act="gelu"), add_pooling_layer=True).eval()
    ours = ViT(config).eval()
    ours.load_state_dict(theirs_named(library, ours), strict=True)
    pixels = torch.randn(2, 3, config.image_size, config.image_size)
    with torch.no_grad():
        expected = library(pixels).last_hidden_state
        torch.testing.assert_close(ours(pixels), expected, atol=1e-5, rtol=1e-5)


def test_the_released_model_has_the_released_number_of_parameters() -> None:
    state = TripoSR.on_meta(RELEASED).state_dict()
    assert sum(value.numel() for value in state.values()) == 419_275_628


def test_pictures_of_any_size_become_planes_of_one() -> None:
    model = tiny.triposr()
    with torch.no_grad():
        planes = model(torch.rand(2, 3, 47, 61))
    size = 2 * model.config.plane_size
    assert planes.shape == (2, 3, model.config.plane_channels, size, size)
    assert not torch.allclose(planes[0], planes[1])


def test_each_plane_is_read_along_its_own_axes() -> None:
    """A plane that grows along its width or height makes the output grow along that axis alone."""
    model = tiny.triposr()
    ramp = torch.linspace(-1, 1, 16)
    for plane, (across, down) in enumerate([(0, 1), (0, 2), (1, 2)]):
        for axis, picture in ((across, ramp[None, :]), (down, ramp[:, None])):
            planes = torch.zeros(1, 3, model.config.plane_channels, 16, 16)
            planes[0, plane] = picture.expand(16, 16)
            still = torch.zeros(1, 3)
            with torch.no_grad():
                base = model.outputs(planes, still[None])
                for moved in range(3):
                    step = still.clone()
                    step[0, moved] = 0.3
                    changed = not torch.allclose(model.outputs(planes, step[None]), base, atol=1e-6)
                    assert changed == (moved == axis)


@pytest.mark.parametrize("kind", ["none", "exp", "softplus", "sigmoid", "tanh"])
def test_the_raw_level_is_where_the_activation_gives_the_level(kind: str) -> None:
    level, bias = 0.7, -1.0
    raw = torch.tensor(raw_level(level, kind, bias), dtype=torch.float64)  # type: ignore[arg-type]
    assert float(activate(raw + bias, kind)) == pytest.approx(level, rel=1e-9)  # type: ignore[arg-type]


def test_the_released_level_needs_no_exponential() -> None:
    assert raw_level(25.0, "exp", -1.0) == pytest.approx(math.log(25) + 1)
    assert raw_level(1000.0, "softplus", 0.0) == pytest.approx(1000.0)


def test_rays_go_through_the_pixels_of_the_projects_cameras() -> None:
    origins, directions = spherical_rays(4, 20.0, 1.9, 40.0, 6, 6)
    from geco.cameras import circular_poses

    poses = circular_poses(4, 1.9, 20.0)
    for view in range(4):
        points = (origins + 1.7 * directions)[view].reshape(-1, 3).numpy()
        seen, _ = project_points(points, poses[view], 40.0)
        centres = (torch.arange(6) + 0.5) / 6
        v, u = torch.meshgrid(centres, centres, indexing="ij")
        expected = torch.stack([u, v], dim=-1).reshape(-1, 2)
        torch.testing.assert_close(torch.from_numpy(seen), expected, atol=1e-5, rtol=0)


def test_rays_beside_the_cube_show_white() -> None:
    model = tiny.triposr()
    planes = torch.randn(1, 3, model.config.plane_channels, 8, 8)
    origins = torch.tensor([[3.0, 2.0, 0.0], [3.0, 0.0, 0.0]])
    directions = torch.tensor([[-1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])
    with torch.no_grad():
        rgb = render(model.decoder, planes, origins, directions, model.config)
    assert (rgb[0] == 1).all()
    assert not (rgb[1] == 1).all()


@pytest.mark.parametrize(
    "changes", [{"norm_groups": 5}, {"cond_image_size": 40}, {"level": 0.0}, {"activation": "gelu"}]
)
def test_settings_that_do_not_fit_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        TripoSRConfig(**changes)  # type: ignore[arg-type]


def _described() -> dict[str, object]:
    described: dict[str, object] = json.loads((GOLDEN / "triposr.json").read_text())
    return described


def theirs_named(library: torch.nn.Module, ours: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The library's state by the names of the release that TripoSR pins, which later ones changed."""
    state = library.state_dict()
    if set(state) == set(ours.state_dict()):
        return state
    renamed = {}
    for name, value in state.items():
        for new, old in (
            ("layers.", "encoder.layer."),
            ("attention.q_proj", "attention.attention.query"),
            ("attention.k_proj", "attention.attention.key"),
            ("attention.v_proj", "attention.attention.value"),
            ("attention.o_proj", "attention.output.dense"),
            ("mlp.fc1", "intermediate.dense"),
            ("mlp.fc2", "output.dense"),
        ):
            name = name.replace(new, old)
        renamed[name] = value
    return renamed
