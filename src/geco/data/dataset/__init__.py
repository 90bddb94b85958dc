"""From shards to batches: deterministic by (seed, step), shared over processes, resumable. Page:
``docs/data-sets.md``.
"""

from geco.data.dataset.augment import Augmentation, over, over_white
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
    "over_white",
]
