from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from geco.errors import ConfigError
from geco.multiview.generate import generate_views
from geco.multiview.interface import Condition
from geco.multiview.noise import SeededNoise
from geco.multiview.zero123plus import latents
from geco.multiview.zero123plus.preprocess import CLIP_MEAN, CLIP_STD, Preprocess
from geco.sampling import Sampling
from tests.multiview import tiny

PICTURE = torch.rand(2, 3, 24, 16, generator=torch.Generator().manual_seed(0))


def test_sheet_is_row_by_row() -> None:
    views = torch.arange(6.0).reshape(1, 6, 1, 1, 1).expand(2, 6, 3, 4, 4)
    sheet = latents.views_to_sheet(views)
    assert sheet.shape == (2, 3, 12, 8)
    assert torch.equal(sheet[0, 0, ::4, ::4], torch.tensor([[0.0, 1], [2, 3], [4, 5]]))
    random = torch.rand(2, 6, 3, 4, 4)
    assert torch.equal(latents.sheet_to_views(latents.views_to_sheet(random)), random)
    with pytest.raises(ConfigError):
        latents.sheet_to_views(torch.zeros(1, 3, 10, 8))
    with pytest.raises(ConfigError):
        latents.views_to_sheet(torch.zeros(1, 5, 3, 4, 4))


def test_scalings_are_the_published_ones_and_invert() -> None:
    x = torch.linspace(-3, 3, 25)
    torch.testing.assert_close(latents.scale_latents(x), (x - 0.22) * 0.75)
    torch.testing.assert_close(latents.unscale_latents(latents.scale_latents(x)), x)
    torch.testing.assert_close(latents.scale_image(x), x * 0.625)
    torch.testing.assert_close(latents.unscale_image(latents.scale_image(x)), x)


@pytest.mark.parametrize(
    "config",
    [{}, {"size": 30, "crop_size": 20}, {"size": {"height": 20, "width": 40}, "do_center_crop": False}],
)
@pytest.mark.parametrize("shape", [(64, 48), (48, 64), (50, 50)])
def test_preprocessing_is_pillows(config: dict[str, object], shape: tuple[int, int]) -> None:
    smooth = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)).resize(
        shape[::-1], Image.Resampling.BICUBIC
    )
    ours = Preprocess.from_transformers(config)(
        torch.from_numpy(np.array(smooth)).permute(2, 0, 1)[None] / 255
    )
    if "crop_size" in config or not config:
        side, crop = (30, 20) if config else (224, 224)
        scale = side / min(shape)
        smooth = smooth.resize((int(shape[1] * scale), int(shape[0] * scale)), Image.Resampling.BICUBIC)
        left, top = (smooth.width - crop) // 2, (smooth.height - crop) // 2
        smooth = smooth.crop((left, top, left + crop, top + crop))
    else:
        smooth = smooth.resize((40, 20), Image.Resampling.BICUBIC)
    theirs = (torch.from_numpy(np.array(smooth)) / 255 - torch.tensor(CLIP_MEAN)) / torch.tensor(CLIP_STD)
    torch.testing.assert_close(ours[0].permute(1, 2, 0), theirs, rtol=0, atol=1e-6)


def test_preprocessing_settings_round_trip() -> None:
    for made in (
        tiny.FOR_VAE,
        Preprocess.from_transformers({"do_resize": False, "do_normalize": False, "do_center_crop": False}),
    ):
        assert Preprocess.from_dict(made.config()) == made
    plain = Preprocess.from_transformers({"do_resize": False, "do_center_crop": False, "do_normalize": False})
    assert torch.equal(plain(PICTURE), PICTURE)
    with pytest.raises(ConfigError, match="crop"):
        Preprocess.from_transformers({"do_resize": False, "crop_size": 100})(PICTURE)


def test_condition_is_the_public_recipe() -> None:
    codec = tiny.codec()
    condition = codec.condition(PICTURE)
    shown = codec.for_vae(PICTURE)
    assert shown.shape == (2, 3, 16, 16) and shown.abs().max() <= 0.625
    posterior = codec.vae.encode(shown).latent_dist
    assert torch.equal(condition.picture, posterior.mean)  # neither the VAE's factor nor scale_latents
    embedding = codec.vision(codec.for_vision(PICTURE)).image_embeds
    for token in range(7):
        expected = codec.text_states[0, token] + codec.ramp[token] * embedding
        torch.testing.assert_close(condition.text[:, token], expected)
    sampled = codec.condition(PICTURE, SeededNoise([0, 1])).picture
    torch.testing.assert_close(
        sampled, posterior.mean + posterior.std * SeededNoise([0, 1])(posterior.mean.shape)
    )


def test_the_grey_picture_is_encoded_once_for_all_pictures() -> None:
    codec, encoded = tiny.codec(), []
    codec._mean = lambda image: encoded.append(len(image)) or codec._latent(image)
    three = codec.unconditional(Condition(torch.zeros(3, 4, 8, 8), torch.zeros(3, 7, 24)))
    one = codec.unconditional(Condition(torch.zeros(1, 4, 8, 8), torch.zeros(1, 7, 24)))
    assert encoded == [1, 1] and three.picture is not None and one.picture is not None
    assert torch.equal(three.picture, one.picture.expand(3, -1, -1, -1))


def test_unconditional_is_a_grey_picture_and_the_empty_prompt() -> None:
    codec = tiny.codec()
    condition = codec.condition(PICTURE)
    without = codec.unconditional(condition)
    grey = codec.for_vae(torch.full((2, 3, 16, 16), 0.5))
    torch.testing.assert_close(without.picture, codec.vae.encode(grey).latent_dist.mean, rtol=0, atol=1e-5)
    assert without.picture.shape == condition.picture.shape and torch.equal(
        without.text[1], codec.text_states[0]
    )


def test_views_are_coded_as_instantmesh_does() -> None:
    codec = tiny.codec()
    views = torch.rand(2, 6, 3, 8, 8)
    x0 = codec.encode(views)
    sheet = torch.cat(
        [torch.cat([views[:, 2 * row], views[:, 2 * row + 1]], dim=-1) for row in range(3)], dim=-2
    )
    mean = codec.vae.encode((sheet - 0.5) / 0.8).latent_dist.mean
    torch.testing.assert_close(x0, (mean * 0.18215 - 0.22) * 0.75, rtol=0, atol=1e-5)
    decoded = codec.decode(x0)
    raw = codec.vae.decode((x0 / 0.75 + 0.22) / 0.18215).sample
    expected = (raw * 0.8 / 0.5 / 2 + 0.5).clamp(0, 1)
    torch.testing.assert_close(latents.views_to_sheet(decoded), expected, rtol=0, atol=1e-5)
    assert decoded.shape == views.shape


def test_decoding_has_gradients() -> None:
    x0 = torch.zeros(1, *tiny.SHEET, requires_grad=True)
    tiny.codec().decode(x0).sum().backward()
    assert x0.grad is not None and x0.grad.abs().max() > 0


@pytest.mark.parametrize("noised", [False, True])
@pytest.mark.parametrize(
    "settings",
    [
        Sampling(),
        Sampling(guidance_scale=4.0),
        Sampling("ddim", 2, 4.0),
        Sampling("euler-ancestral", 2),
    ],
)
def test_generation_is_per_seed(settings: Sampling, noised: bool) -> None:
    network, codec = tiny.network(noised), tiny.codec()
    views = generate_views(network, codec, PICTURE[:1], [1, 2], settings)
    assert views.shape == (2, 6, 3, 8, 8) and views.min() >= 0 and views.max() <= 1
    assert (views[0] - views[1]).abs().max() > 1e-3
    torch.testing.assert_close(
        generate_views(network, codec, PICTURE[:1], [2], settings)[0], views[1], rtol=0, atol=1e-4
    )
