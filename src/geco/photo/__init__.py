"""Make a surface keep to the one outline that is certain: that of the input picture. numpy only."""

from geco.photo.outline import Fitted, keep_to_outline
from geco.photo.outline_camera import find_camera, prior_camera

__all__ = ["Fitted", "find_camera", "keep_to_outline", "prior_camera"]
