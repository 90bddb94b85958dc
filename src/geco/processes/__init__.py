"""Work in processes of its own, bounded in time and memory: one child, a pool of them here, or one on
a Ray cluster (:mod:`geco.processes.ray_workers`).
"""

from geco.processes.child import PATIENCE, START_SECONDS, Child
from geco.processes.job import MEMORY_GB, SECONDS, Bounds, Outcome, Stopped
from geco.processes.pool import ATTEMPTS, Workers

__all__ = [
    "ATTEMPTS",
    "MEMORY_GB",
    "PATIENCE",
    "SECONDS",
    "START_SECONDS",
    "Bounds",
    "Child",
    "Outcome",
    "Stopped",
    "Workers",
]
