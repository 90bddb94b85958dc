"""Latent and image scaling of Zero123++, VAE coding, and the 3x2 sheet of six views as tensors."""

from __future__ import annotations

from typing import Any

from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor

from geco.errors import ConfigError
from geco.multiview.noise import NoiseSource

# Zero123++'s pipeline maps the sheet's latents to roughly zero mean and unit variance ...
LATENT_MEAN, LATENT_SCALE = 0.22, 0.75
# ... and shows the VAE a picture with less contrast, [-1, 1] * 0.625, since its own pictures stand on flat
# backgrounds.
IMAGE_SCALE = 0.5 / 0.8
ROWS, COLUMNS = 3, 2  # view = row * 2 + column


def scale_latents(latents: Tensor) -> Tensor:
    """VAE latents (times its scaling factor) -> what the UNet works on; any shape."""
    return (latents - LATENT_MEAN) * LATENT_SCALE


def unscale_latents(latents: Tensor) -> Tensor:
    """The inverse of :func:`scale_latents`."""
    return latents / LATENT_SCALE + LATENT_MEAN


def scale_image(image: Tensor) -> Tensor:
    """Picture in [-1, 1] -> what the VAE encodes."""
    return image * IMAGE_SCALE


def unscale_image(image: Tensor) -> Tensor:
    """The inverse of :func:`scale_image`."""
    return image / IMAGE_SCALE


def views_to_sheet(views: Tensor) -> Tensor:
    """(B, 6, C, S, S) -> (B, C, 3 S, 2 S), row by row."""
    batch, count, channels, height, width = views.shape
    if count != ROWS * COLUMNS:
        raise ConfigError(f"a sheet holds {ROWS * COLUMNS} views, not {count}", "Give six views.")
    grid = views.reshape(batch, ROWS, COLUMNS, channels, height, width)
    return grid.permute(0, 3, 1, 4, 2, 5).reshape(batch, channels, ROWS * height, COLUMNS * width)


def sheet_to_views(sheet: Tensor) -> Tensor:
    """(B, C, 3 S, 2 S) -> (B, 6, C, S, S); the inverse of :func:`views_to_sheet`."""
    batch, channels, height, width = sheet.shape
    if height % ROWS or width % COLUMNS:
        raise ConfigError(
            f"a sheet of {height} x {width} does not hold 3 x 2 views",
            "Its height must be a multiple of 3, its width of 2.",
        )
    grid = sheet.reshape(batch, channels, ROWS, height // ROWS, COLUMNS, width // COLUMNS)
    return grid.permute(0, 2, 4, 1, 3, 5).reshape(
        batch, ROWS * COLUMNS, channels, height // ROWS, width // COLUMNS
    )


def encode_posterior(vae: AutoencoderKL, image: Tensor, noise: NoiseSource | None) -> Tensor:
    """One sample of the VAE's posterior, or its mean without ``noise``; not multiplied by the scaling factor.

    Args:
        image: (B, 3, H, W) scaled for the VAE.

    Returns:
        (B, 4, H / 8, W / 8) in the VAE's dtype.
    """
    posterior: Any = vae.encode(image.to(vae.dtype)).latent_dist
    if noise is None:
        return posterior.mean
    return posterior.mean + posterior.std * noise(posterior.mean.shape).to(posterior.mean)


def encode_sheet(vae: AutoencoderKL, sheet: Tensor, noise: NoiseSource | None = None) -> Tensor:
    """sheet (B, 3, H, W) in [0, 1] -> x0 (B, 4, H / 8, W / 8), as InstantMesh's fine-tuning does."""
    latents = encode_posterior(vae, scale_image(sheet * 2 - 1), noise)
    return scale_latents(latents * _factor(vae))


def encode_picture(vae: AutoencoderKL, picture: Tensor) -> Tensor:
    """picture (B, 3, S, S) in [0, 1] -> latents (B, 4, S / 8, S / 8) as Stable Diffusion's own UNet knows
    them: the posterior's mean times the VAE's factor, without Zero123++'s scalings. Differentiable.
    """
    return encode_posterior(vae, picture * 2 - 1, None).float() * _factor(vae)


def decode_input(vae: AutoencoderKL, x0: Tensor) -> Tensor:
    """x0 -> what the VAE's decoder takes; float32."""
    return unscale_latents(x0.float()) / _factor(vae)


def decode_output(decoded: Tensor) -> Tensor:
    """What the VAE's decoder gives -> picture (B, 3, H, W) in [0, 1], float32."""
    return (unscale_image(decoded.float()) / 2 + 0.5).clamp(0, 1)


def decode_sheet(vae: AutoencoderKL, x0: Tensor) -> Tensor:
    """x0 (B, 4, h, w) -> sheet (B, 3, 8 h, 8 w) in [0, 1], float32. Differentiable."""
    return decode_output(vae.decode(decode_input(vae, x0).to(vae.dtype), return_dict=False)[0])


def _factor(vae: AutoencoderKL) -> float:
    return float(vae.config["scaling_factor"])
