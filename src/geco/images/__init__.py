"""The picture: reading it, cutting the object out, framing it as the networks expect, and sheets of views."""

from geco.images.color import over_white, to_bytes
from geco.images.load import Picture, load_picture
from geco.images.matting import METHODS, Cutout, cut_out
from geco.images.prepare import STEPS, ZERO123PLUS_RATIO, Prepared, prepare
from geco.images.sheet import sheet_to_views, views_to_sheet
from geco.images.write import save_picture, save_views

__all__ = [
    "METHODS",
    "STEPS",
    "ZERO123PLUS_RATIO",
    "Cutout",
    "Picture",
    "Prepared",
    "cut_out",
    "load_picture",
    "over_white",
    "prepare",
    "save_picture",
    "save_views",
    "sheet_to_views",
    "to_bytes",
    "views_to_sheet",
]
