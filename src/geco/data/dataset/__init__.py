"""From shards to batches: deterministic by (seed, step), shared over processes, resumable. Page:
``docs/data-sets.md``.

The stages of ``geco.training`` read :class:`GridViews` (small family) and :class:`ConditionPictures` (full
family), batch after batch by number. :class:`PairedViews`, :class:`RandomViews`, augmentations and iterating
over a :class:`Loader` are for training loops of your own.
"""

from geco.data.dataset.augment import Augmentation, over
from geco.data.dataset.batches import ConditionBatch, RandomViewBatch, SixViewBatch
from geco.data.dataset.conditions import ConditionPictures, PairedViews
from geco.data.dataset.grid import GridViews
from geco.data.dataset.loader import Dataset, Loader
from geco.data.dataset.needs import MissingViewsError
from geco.data.dataset.random_views import RandomViews

__all__ = [
    "Augmentation",
    "ConditionBatch",
    "ConditionPictures",
    "Dataset",
    "GridViews",
    "Loader",
    "MissingViewsError",
    "PairedViews",
    "RandomViewBatch",
    "RandomViews",
    "SixViewBatch",
    "over",
]
