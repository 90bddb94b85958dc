"""What a loaded torch model takes while it draws views: its own code on fake tensors, before it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from geco.backend import Footprint
from geco.memory import resident
from geco.multiview.generate import generate_views
from geco.multiview.interface import MultiViewNetwork, ViewCodec
from geco.multiview.zero123plus.codec import Zero123PlusCodec
from geco.sampling import Sampling
from geco.simulated import simulated
from geco.torch_runtime.foreseen import Prepared, few_steps

# Of a CPU's tensors, what the process takes beside them (packed weights and workspaces of oneDNN, the gaps of
# malloc): measured with the small and a tiny full model, torch 2.13, 2 to 16 sets at a time: up to a fifth.
BESIDE = 1.25
LOADED = 64 << 20  # bytes of code and tables that torch loads at its first products


def drawing(
    network: MultiViewNetwork, codec: ViewCodec, size: int, how: Sampling, on_cpu: bool
) -> Callable[[int], int]:
    """How many sets of views, a picture each -> most bytes beside the weights while they are drawn.

    Args:
        size: side of the condition pictures in pixels.
        on_cpu: as of :func:`geco.simulated.simulated`.
    """

    def most(sets: int) -> int:
        with torch.no_grad(), simulated(on_cpu) as run:
            placed: tuple[Any, Any] = (
                run.placed(network),  # type: ignore[type-var]
                run.placed(codec) if isinstance(codec, Zero123PlusCodec) else codec,
            )
            resting = run.live
            prepared = Prepared(run, placed[1]) if isinstance(codec, Zero123PlusCodec) else codec
            generate_views(placed[0], prepared, torch.empty(sets, 3, size, size), range(sets), few_steps(how))
        return run.peak - resting

    return most


def rebuilding(reconstruct: Callable[[], Any], on_cpu: bool) -> int:
    """Most bytes of tensors beside the weights while views become fields: up to where they are taken to
    numpy, which knows no fake tensors; the networks have run by then.
    """
    with torch.no_grad(), simulated(on_cpu) as run:
        try:
            reconstruct()
        except RuntimeError as error:
            if ".numpy() is not supported" not in str(error):
                raise
    return run.peak


def measured(draw: Callable[[int], int] | None, kept: int, rebuild: int, device: torch.device) -> Footprint:
    """The numbers of a model on ``device``.

    Args:
        draw: of :func:`drawing`; None for a regressor, whose set is the picture.
        kept: bytes of one set. rebuild: of :func:`rebuilding`.
    """
    one, two = (draw(1), draw(2)) if draw is not None else (kept, 2 * kept)
    on_cpu = device.type == "cpu"
    resting = resident() if on_cpu else torch.cuda.memory_allocated(device) if device.type == "cuda" else 0
    first, more, built = (int((BESIDE if on_cpu else 1.0) * part) for part in (one, two - one, rebuild))
    first += LOADED if on_cpu else 0
    return Footprint(resting, first, more, kept, built, keeps=on_cpu)
