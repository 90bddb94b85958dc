"""One comparison with the reference, and the largest-error helper that every case uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Result:
    """``error`` is the largest absolute difference (nan or inf count as failures); ``bound`` what
    the issue allows.
    """

    case: str
    error: float
    bound: float

    @property
    def passed(self) -> bool:
        return bool(np.isfinite(self.error) and self.error <= self.bound)


def largest_error(ours: Any, theirs: Any) -> float:
    """Largest absolute difference of two arrays or tensors; inf for another shape or a non-finite
    value of ours.
    """
    a, b = (
        np.asarray(x.detach().cpu() if hasattr(x, "detach") else x).astype(np.float64) for x in (ours, theirs)
    )
    if a.shape != b.shape or not np.isfinite(a).all():
        return float("inf")
    return float(np.abs(a - b).max(initial=0.0))
