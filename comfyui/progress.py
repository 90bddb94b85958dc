"""ComfyUI's bar and its Interrupt button, asked between the stages of a mesh."""

from __future__ import annotations

from typing import Any

from comfy.model_management import throw_exception_if_processing_interrupted
from comfy.utils import ProgressBar

FINE = 100  # ticks of the bar a stage, so that the steps of a model of many show
PREVIEW = 512  # pixels: longest side of the views on the node


class Progress:
    """Counts stages: one a picture to see it, one a set of views, one a mesh."""

    def __init__(self, stages: int) -> None:
        self._bar = ProgressBar(FINE * stages)
        self._stages = 0

    def done(self, preview: Any = None) -> None:
        """A stage is done.

        Args:
            preview: a PIL image to show on the node.

        Raises:
            InterruptProcessingException: the user has asked to stop.
        """
        self._stages += 1
        shown = None if preview is None else ("JPEG", preview, PREVIEW)
        self._bar.update_absolute(FINE * self._stages, preview=shown)
        throw_exception_if_processing_interrupted()

    def step(self, done: int, of: int) -> None:
        """A step of a model that draws views in many is done; raises as :meth:`done`."""
        self._bar.update_absolute(FINE * self._stages + FINE * done // max(of, 1))
        throw_exception_if_processing_interrupted()
