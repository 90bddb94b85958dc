"""The face behind which a runtime stands: picture in, views out; views in, surface fields out.

Two runtimes have it: ``onnx_runtime`` (the embedded model, no torch) and ``torch_runtime`` (every model).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from geco.reconstruct.fields import SurfaceFields
from geco.sampling import OnStep, Reference, Sampling
from geco.types import Floats, Pictures


@dataclass(frozen=True)
class ModelCard:
    """What the pipeline must know of a model.

    Attributes:
        name: "small", or the folder or hub id it came from.
        picture_size: side of the condition picture in pixels.
        foreground_ratio: share of the picture's side that the object's longer side fills (as in training).
        resolution: default cubes a side of the surface grid.
        texture_size: default texture side in texels.
        licence: of the weights.
        background: grey level in [0, 1] that the condition picture stands on.
        facts: anything else worth printing (parameters, training, sampler).
        view_size: side of the views in pixels; 0: that of the condition picture.
        references: how the networks can write the condition picture; see :class:`geco.sampling.Sampling`.
        eight_bits: the condition picture is framed in whole levels (:func:`geco.images.prepare`).
    """

    name: str
    picture_size: int
    foreground_ratio: float
    resolution: int
    texture_size: int
    licence: str
    facts: dict[str, Any]
    background: float = 1.0
    view_size: int = 0
    references: tuple[Reference, ...] = ("clean",)
    eight_bits: bool = False


@dataclass(frozen=True)
class Footprint:
    """Bytes that a loaded model takes: of the device that it runs on, of the process where that is the CPU.

    Attributes:
        resting: taken now, while nothing runs.
        first: beyond that, most while one set of six views is drawn.
        more: each further set that is drawn with it.
        kept: a set that waits to be reconstructed.
        rebuilding: beyond ``resting``, most while a set becomes fields.
        keeps: what drawing took stays taken, in an arena or the process's heap.
    """

    resting: int
    first: int
    more: int
    kept: int
    rebuilding: int
    keeps: bool

    def of(self, sets: int, finishing: int) -> int:
        """Most bytes while ``sets`` are drawn together and reconstructed one after the other.

        Args:
            finishing: beyond ``rebuilding``, what making the mesh takes.
        """
        drawing, after = self.first + (sets - 1) * self.more, self.rebuilding + finishing
        together = drawing + after if self.keeps else max(drawing, sets * self.kept + after)
        return self.resting + together


class Backend(Protocol):
    """One loaded model in one runtime."""

    card: ModelCard

    @property
    def sampling(self) -> Sampling | None:
        """How :meth:`generate` draws views when nothing else is asked for; None for a regressor, which draws
        none.
        """

    @property
    def distilled(self) -> bool:
        """Whether the network was trained to make views in one pass, so that it is nobody's teacher."""

    @property
    def joins_pictures(self) -> bool:
        """Whether several pictures drawn together take less time than one after the other."""

    def place(self, pictures: Floats) -> Pictures:
        """Condition picture or views as this runtime keeps them, for both verbs; each is brought to the
        device once, when it is first needed there.
        """

    def generate(
        self,
        pictures: Sequence[Pictures],
        seeds: Sequence[int],
        sampling: Sampling | None = None,
        on_step: OnStep | None = None,
    ) -> Pictures:
        """Condition pictures, each (S, S, 3) in [0, 1] over the card's background -> views (len(seeds), 6, H,
        W, 3) in [0, 1], where the networks left them.

        ``seeds`` are as many for each picture, those of the first picture first.
        ``sampling`` takes the place of the model's own. The noise of a seed is
        ``geco.noise.stream(seed, "views")`` in every runtime. ``on_step`` is called after each step of many.
        """

    def footprint(self, sampling: Sampling | None) -> Footprint:
        """What drawing views in this way takes."""

    def reconstruct(self, views: Pictures, picture: Pictures) -> SurfaceFields:
        """One sample's views (6, H, W, 3) and the condition picture (S, S, 3) -> the surface's fields."""
