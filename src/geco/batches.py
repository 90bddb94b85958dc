"""Which seeds may be asked for, and how many of them run at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from geco.errors import ConfigError

MOST_SAMPLES = 1000  # of one picture; more is a slip of the keyboard, and a run of many minutes
BATCH = 8  # seeds at a time: memory stays level however many there are


def check_seeds(seeds: Sequence[int]) -> None:
    """Raises ConfigError: none, more than :data:`MOST_SAMPLES`, or one that is no whole number
    from 0 to 2**32 - 1.
    """
    if not 1 <= len(seeds) <= MOST_SAMPLES:
        raise ConfigError(
            f"{len(seeds)} samples of a picture are out of range", f"Ask for 1 to {MOST_SAMPLES}."
        )
    for seed in seeds:
        if not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**32:
            raise ConfigError(
                f"the seed {seed!r} is out of range", "Choose whole numbers from 0 to 4294967295."
            )
