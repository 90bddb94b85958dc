"""Shards of rendered views ("geco-shards-1"): WebDataset tar files with an index, readable in
order or at random.
"""

from geco.data.shards.format import CHANNELS, FORMAT, HELD_OUT
from geco.data.shards.objects import PictureSet, encode_object
from geco.data.shards.reader import Shards
from geco.data.shards.unfinished import write_piece
from geco.data.shards.writer import ShardWriter

__all__ = [
    "CHANNELS",
    "FORMAT",
    "HELD_OUT",
    "PictureSet",
    "ShardWriter",
    "Shards",
    "encode_object",
    "write_piece",
]
