"""Separating the object from its background: given alpha, a plain background, or a real one."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np
from PIL import Image, ImageFilter

from geco.errors import ConfigError, InputImageError, MissingExtraError, WeightsError
from geco.images.alpha import OPAQUE, opaque, rectangle, without_faint
from geco.images.builtin import cut_by_colors, tidy
from geco.images.closer import part_around, trace
from geco.images.color import over_white, to_bytes
from geco.images.confidence import judge
from geco.images.edges import soften
from geco.images.external import cut_by_grabcut, cut_by_rembg
from geco.images.load import Picture, load_picture
from geco.images.plain import WORK_SIDE, PlainBackground, find_plain_background
from geco.types import Floats

Method = Literal["auto", "alpha", "plain", "builtin", "grabcut", "rembg", "none"]
METHODS: tuple[str, ...] = get_args(Method)

PLAIN_ENOUGH = 0.5  # of its own measure: from there "auto" takes the background for plain
LEAST_OBJECT = 0.0008  # of the picture: less is no object
MOST_OF_REMBG = 0.95  # what a decided mask of rembg's is believed; not measured by the benchmark
RECTANGLE = "its transparency leaves a rectangle, perhaps a photo"
PASTED = 0.3  # what alpha is believed that leaves a rectangle with something on a plain background in it
UNDECIDED_REMBG = 0.5  # below that its mask is called doubtful


@dataclass
class Cutout:
    """Attributes:
    rgba: (H, W, 4) float32 in [0, 1], straight alpha: the picture, or the part of it around a small object.
    method: what was done: "alpha", "plain", "builtin", "grabcut", "rembg" or "none". confidence: 0 … 1, how
    likely the cut-out is right (:mod:`geco.images.confidence`); 1 for alpha and "none". name: the picture's
    name. doubt: what speaks against it, in words, where that is likely; else None. picture: what it was cut
    out of, pixel for pixel; None for arrays that were cut out before.
    """

    rgba: Floats
    method: str
    confidence: float
    name: str
    doubt: str | None = None
    picture: Picture | None = field(default=None, repr=False)

    def facts(self) -> dict[str, str | float | None]:
        """What reports and files say of it; the confidence to two digits: equal pictures give equal files."""
        confidence = round(self.confidence, 2)
        return {"cutout": self.method, "cutout_confidence": confidence, "cutout_doubt": self.doubt}


def cut_out(picture: Picture | Floats, method: str = "auto") -> Cutout:
    """Cut the object out of its background.

    ``auto`` takes the alpha where it cuts something out, without its soft shadows; else it cuts out a plain
    background; else it uses rembg where it is installed and has its weights, else GrabCut where OpenCV is
    installed, else the built-in colour method. A small object of a large picture is cut out of the part
    around it, at the picture's own resolution. ``none`` takes the whole picture.

    Args:
        picture: from :func:`geco.images.load.load_picture`, or (H, W, 4) or (H, W, 3) float32 in [0, 1].
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
        remedy = "Choose another matting, or give a cut-out PNG."
        raise InputImageError(f"{picture.name} has no transparency", remedy)
    if method == "none":
        return Cutout(picture.rgba, "none", 1.0, picture.name, picture=picture)
    if method == "alpha" or (picture.has_alpha and method == "auto"):
        small = picture.source is not None
        closer = part_around(picture, picture.rgba[..., 3] > OPAQUE / 20, margin=0.1) if small else None
        shown = closer or picture
        rgba = without_faint(shown.rgba)
        if method == "auto" and _shows_a_picture(picture.rgba):
            return Cutout(rgba, "alpha", PASTED, picture.name, RECTANGLE, shown)
        return Cutout(rgba, "alpha", 1.0, picture.name, picture=shown)
    return _checked(_cut(picture, method))


def _cut(picture: Picture, method: str, outline: bool = True, closer: bool = True) -> Cutout:
    """The cut-out by a method that looks for the object, with what it was cut out of."""
    found = _found(picture, method, outline, closer)
    return found if found.picture is not None else replace(found, picture=picture)


def _found(picture: Picture, method: str, outline: bool, closer: bool) -> Cutout:
    rgb = over_white(picture.rgba) if picture.has_alpha else opaque(picture.rgba)
    work = _work_image(rgb)
    image = _planar(work.filter(ImageFilter.BoxBlur(0.7)))
    if method in ("auto", "plain"):
        plain = find_plain_background(image, outline)
        near = _closer(picture, rgb, plain) if closer else None
        if near is not None:
            return near
        if method == "plain" or plain.confidence >= PLAIN_ENOUGH:
            rgba = soften(rgb, plain.foreground, plain.background, image)
            judged = judge("plain", image, plain.foreground, dropped=plain.dropped)
            return Cutout(rgba, "plain", judged[0], picture.name, judged[1])
    if method in ("auto", "rembg"):
        try:
            return _by_rembg(rgb, picture.name)
        except MissingExtraError:
            if method == "rembg":
                raise
        except WeightsError as error:
            if method == "rembg":
                raise
            warnings.warn(f"{error.problem}; using the built-in matting instead", stacklevel=3)
    if method in ("auto", "grabcut"):
        try:
            mask = tidy(cut_by_grabcut(np.asarray(work)))
            judged = judge("grabcut", image, mask)
            return Cutout(soften(rgb, mask), "grabcut", judged[0], picture.name, judged[1])
        except MissingExtraError:
            if method == "grabcut":
                raise
    mask, decided = cut_by_colors(_planar(work))
    judged = judge("builtin", image, mask, decided=decided)
    return Cutout(soften(rgb, mask), "builtin", judged[0], picture.name, judged[1])


def _shows_a_picture(rgba: Floats) -> bool:
    """Whether alpha leaves a rectangle that shows something on a plain background: most likely a photo."""
    box = rectangle(rgba[..., 3])
    if box is None:
        return False
    top, bottom, left, right = box
    work = _work_image(np.ascontiguousarray(rgba[top:bottom, left:right, :3]))
    plain = find_plain_background(_planar(work.filter(ImageFilter.BoxBlur(0.7))), outline=False)
    return plain.confidence >= PLAIN_ENOUGH and 0.02 < float(plain.foreground.mean()) < 0.9


def _by_rembg(rgb: Floats, name: str) -> Cutout:
    """Believed as far as its mask is decided: a network that hesitates shows it as half-transparent areas."""
    alpha = cut_by_rembg(rgb)
    seen = alpha > 0.05
    decided = float(np.abs(2 * alpha[seen] - 1).mean()) if seen.any() else 0.0
    doubt = "rembg could not decide what the object is" if decided < UNDECIDED_REMBG else None
    return Cutout(np.dstack([rgb, alpha]).astype(np.float32), "rembg", MOST_OF_REMBG * decided, name, doubt)


def _closer(picture: Picture, rgb: Floats, plain: PlainBackground) -> Cutout | None:
    """The cut-out of the part around an object that is small in a large picture; None where it is not."""
    if picture.source is None and plain.confidence >= PLAIN_ENOUGH:
        return None  # all of its pixels were seen
    found = trace(rgb, plain)
    closer = None if found is None else part_around(picture, found, margin=0.8)
    if closer is None:
        return None
    cutout = _cut(closer, "plain", outline=False, closer=False)
    whole = float((cutout.rgba[..., 3] > 0.5).mean())
    return cutout if LEAST_OBJECT < whole < 0.9 else None


def _checked(cutout: Cutout) -> Cutout:
    if float(cutout.rgba[..., 3].mean()) < LEAST_OBJECT:
        raise InputImageError(
            f"no object was found in {cutout.name} (matting: {cutout.method})",
            "Give a picture with a transparent background, or choose another matting.",
        )
    return cutout


def _work_image(rgb: Floats) -> Image.Image:
    image = Image.fromarray(to_bytes(rgb))
    image.thumbnail((WORK_SIDE, WORK_SIDE), Image.Resampling.BOX)
    return image


def _planar(image: Image.Image) -> Floats:
    """Pillow RGB -> (3, H, W) float32 in [0, 1]."""
    return np.asarray(image).transpose(2, 0, 1).astype(np.float32, order="C") * np.float32(1 / 255)
