"""What a method's process is asked, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from geco.memory import device_peak, peak
from geco.mesh.types import Mesh
from geco.types import Bytes, Floats


@dataclass(frozen=True)
class Job:
    """One question: input picture (S, S, 4) uint8, seed, and views (6, V, V, 3) in [0, 1] to take
    instead of generated ones.
    """

    picture: Bytes
    seed: int
    views: Floats | None = None


@dataclass
class MethodResult:
    """What a method made of a picture.

    Attributes:
        views: (6, V, V, 3) in [0, 1], or None.
        meshes: by variant; the reason as text where no mesh came out.
        stages: seconds by variant and stage, "total" the sum: what ``geco run`` prints without loading and
            saving.
        facts: what else was found out, by variant.
        peak_mb: resident memory of the process at its highest so far; gpu_mb: CUDA's, None without.
    """

    views: Floats | None = None
    meshes: dict[str, Mesh | str] = field(default_factory=dict)
    stages: dict[str, dict[str, float]] = field(default_factory=dict)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    peak_mb: float | None = None
    gpu_mb: float | None = None


def peak_memory() -> tuple[float | None, float | None]:
    """Highest resident memory of this process and highest CUDA allocation, in MB (10^6 bytes);
    None where unknown.
    """
    host, gpu = (None if found is None else found / 1e6 for found in (peak(), device_peak()))
    return host, gpu
