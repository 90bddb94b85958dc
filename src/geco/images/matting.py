"""Separating the object from its background: given alpha, a plain background, or a real one."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from geco.errors import ConfigError, InputImageError, MissingExtraError, WeightsError
from geco.images.alpha import OPAQUE, opaque, without_faint
from geco.images.builtin import cut_by_colors, tidy
from geco.images.edges import soften
from geco.images.external import cut_by_grabcut, cut_by_rembg
from geco.images.load import Picture, load_picture
from geco.images.plain import WORK_SIDE, find_plain_background

Floats = NDArray[np.float32]
Method = Literal["auto", "alpha", "plain", "builtin", "grabcut", "rembg", "none"]
METHODS: tuple[str, ...] = get_args(Method)

PLAIN_ENOUGH = 0.5  # confidence from which "auto" takes the background for plain
LEAST_OBJECT = 0.0008  # of the picture: less is no object


@dataclass
class Cutout:
    """Attributes:
    rgba: (H, W, 4) float32 in [0, 1], straight alpha.
    method: what was done: "alpha", "plain", "builtin", "grabcut", "rembg" or "none".
    confidence: 0 … 1: of the plain background, or how decided the colours were; 1 for given alpha and rembg.
    name: the picture's name.
    """

    rgba: Floats
    method: str
    confidence: float
    name: str


def cut_out(picture: Picture | Floats, method: str = "auto") -> Cutout:
    """Cut the object out of its background.

    ``auto`` takes the alpha as it is; without alpha it cuts out a plain background; else it uses rembg where it is installed and
    has its weights, else GrabCut where OpenCV is installed, else the built-in colour method. ``none`` takes the whole picture.

    Args:
        picture: what :func:`geco.images.load.load_picture` gave, or (H, W, 4) or (H, W, 3) float32 in [0, 1].
        method: one of :data:`METHODS`.
    Raises:
        InputImageError: nothing is left of the picture, or ``alpha`` was asked for and there is none.
        MissingExtraError, WeightsError: a method was asked for that is not installed.
    """
    if isinstance(picture, np.ndarray):
        picture = load_picture(picture)
    if method not in METHODS:
        raise ConfigError(f"unknown matting {method!r}", f"Choose one of {', '.join(METHODS)}.")
    transparent = bool((picture.rgba[..., 3] < OPAQUE).any())
    if method == "alpha" and not transparent:
        raise InputImageError(f"{picture.name} has no transparency", "Choose another matting, or give a cut-out PNG.")
    if method == "none":
        return Cutout(picture.rgba, "none", 1.0, picture.name)
    if method == "alpha" or (picture.has_alpha and method == "auto"):
        return Cutout(without_faint(picture.rgba), "alpha", 1.0, picture.name)
    return _checked(_cut(picture, method))


def _cut(picture: Picture, method: str) -> Cutout:
    rgb = _over_white(picture.rgba) if picture.has_alpha else opaque(picture.rgba)
    work = _work_image(rgb)
    if method in ("auto", "plain"):
        image = _planar(work.filter(ImageFilter.BoxBlur(0.7)))
        plain = find_plain_background(image)
        if method == "plain" or plain.confidence >= PLAIN_ENOUGH:
            rgba = soften(rgb, plain.foreground, plain.background, image)
            return Cutout(rgba, "plain", plain.confidence, picture.name)
    if method in ("auto", "rembg"):
        try:
            return Cutout(np.dstack([rgb, cut_by_rembg(rgb)]).astype(np.float32), "rembg", 1.0, picture.name)
        except MissingExtraError:
            if method == "rembg":
                raise
        except WeightsError as error:
            if method == "rembg":
                raise
            warnings.warn(f"{error.problem}; using the built-in matting instead", stacklevel=3)
    if method in ("auto", "grabcut"):
        try:
            return Cutout(soften(rgb, tidy(cut_by_grabcut(np.asarray(work)))), "grabcut", 0.5, picture.name)
        except MissingExtraError:
            if method == "grabcut":
                raise
    mask, confidence = cut_by_colors(_planar(work))
    return Cutout(soften(rgb, mask), "builtin", confidence, picture.name)


def _checked(cutout: Cutout) -> Cutout:
    if float(cutout.rgba[..., 3].mean()) < LEAST_OBJECT:
        raise InputImageError(
            f"no object was found in {cutout.name} (matting: {cutout.method})",
            "Give a picture with a transparent background, or choose another matting.",
        )
    return cutout


def _work_image(rgb: Floats) -> Image.Image:
    image = Image.fromarray(np.rint(rgb * 255).astype(np.uint8))
    image.thumbnail((WORK_SIDE, WORK_SIDE), Image.Resampling.BOX)
    return image


def _planar(image: Image.Image) -> Floats:
    """Pillow RGB -> (3, H, W) float32 in [0, 1]."""
    return np.asarray(image).transpose(2, 0, 1).astype(np.float32, order="C") * np.float32(1 / 255)


def _over_white(rgba: Floats) -> Floats:
    alpha = rgba[..., 3:]
    return rgba[..., :3] * alpha + (1 - alpha)
