"""Make a surface keep to the one outline that is certain: that of the input picture. numpy only."""

from geco.outline.camera import find_camera, prior_camera
from geco.outline.keep import Fitted, keep_to_outline

__all__ = ["Fitted", "find_camera", "keep_to_outline", "prior_camera"]
