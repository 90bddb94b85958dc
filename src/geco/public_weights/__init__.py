"""Adapters for foreign checkpoints, one file each."""

import geco.multiview.zero123plus  # noqa: F401  (before diffusers)
