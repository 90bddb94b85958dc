"""Groups on a device: sums by group that are the same on every run, runs of equal keys, connected parts.

Adding floats into one place from many threads gives another last bit each time, since the order is open.
Here floats are added as whole numbers, whose sum has no order.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from geco.on_device import waits
from geco.on_device.types import exact
from geco.render import cover_torch

# Bits that a sum may take: one less than int64 has, and one for the sign.
_SUM_BITS = 62
_ROUNDS = 4  # own choice: rounds of joining between two looks at whether all is joined


@dataclass
class Summands:
    """Values (N, D) as whole numbers, to be added up by group more than once.

    Each value is rounded to 2^(62 - log2 N) steps of the largest one: about 1e-13 of it for 100,000 values.
    """

    whole: Tensor
    scale: Tensor

    @classmethod
    def of(cls, values: Tensor) -> Summands:
        wide = values.to(exact(values.device))
        bits = _SUM_BITS - max(len(values), 1).bit_length()
        largest = torch.linalg.vector_norm(wide, ord=torch.inf) if len(values) else wide.new_zeros(())
        # A power of two, so that scaling rounds nothing.
        scale = torch.exp2((bits - torch.frexp(largest).exponent).to(wide.dtype))
        return cls(torch.round(wide * scale).long(), scale)

    def sums(self, group: Tensor, count: int) -> Tensor:
        """(count, D) sums by group (N,), in the device's widest float."""
        total = self.whole.new_zeros(count, self.whole.shape[1])
        return total.index_add_(0, group, self.whole).to(self.scale.dtype) / self.scale


def group_sums(values: Tensor, group: Tensor, count: int) -> Tensor:
    """(count, D) sums of values (N, D) by group (N,), in the device's widest float."""
    return Summands.of(values).sums(group, count)


def group_counts(group: Tensor, count: int) -> Tensor:
    """(count,) int64 how many of ``group`` (N,) are each number."""
    total = torch.zeros(count, dtype=torch.long, device=group.device)
    return total.index_add_(0, group, torch.ones_like(group))


def sorted_runs(keys: Tensor) -> tuple[Tensor, Tensor]:
    """Keys (N,) put in order: the (N,) order, stable, and the (N,) number of the run of equal keys that each
    place of it belongs to.
    """
    ordered, order = torch.sort(keys, stable=True)
    opens = F.pad(ordered[1:] != ordered[:-1], (min(len(keys), 1), 0))
    return order, torch.cumsum(opens, dim=0)


def first_of_group(keys: Tensor) -> Tensor:
    """(N,) keys -> (N,) place of the first element with the same key."""
    order, run = sorted_runs(keys)
    first = torch.full_like(keys, len(keys), dtype=torch.long)
    first.scatter_reduce_(0, run, order, "amin")
    result = torch.empty_like(order)
    result[order] = first[run]
    return result


def expand(counts: Tensor, name: str) -> tuple[Tensor, Tensor]:
    """Owner and position of every item when owner i holds ``counts[i]`` (N,) items; ``name`` is that of the
    wait for their number.
    """
    return cover_torch.expand(counts, name, waits.number)


def connected_components(count: int, a: Tensor, b: Tensor, name: str) -> Tensor:
    """(count,) the smallest node of the part that each node belongs to; nodes are joined by the links
    (a[i], b[i]).

    Every round hangs the parent of each link's end below the smallest parent that it sees, then halves the
    paths (after Zhang, Azad and Hu 2020, "FastSV"); labels only fall, so that nothing depends on the order of
    the threads. All is done when both ends of every link agree.
    """
    label = torch.arange(count, device=a.device)
    if not len(a):
        return label
    ends, others = torch.cat([a, b]), torch.cat([b, a])
    while True:
        for _ in range(_ROUNDS):
            above = label[label]
            label = _hung(above, label[ends], ends, above[others], above[ends])
        one, two = label[a], label[b]
        if not waits.number((one != two).any() | (label[label] != label).any(), name):
            return label


def connected_neighbours(neighbours: Tensor, name: str) -> Tensor:
    """:func:`connected_components` of nodes that know their neighbours (N, K), each being its neighbours'; a
    node may stand for no neighbour.
    """
    own = torch.arange(len(neighbours), device=neighbours.device)
    label = own
    while True:
        for _ in range(_ROUNDS):
            above = label[label]
            label = _hung(above, label, own, above[neighbours].amin(dim=1), above)
        alike = (label[neighbours] == label[:, None]).all()
        if waits.number(alike & (label[label] == label).all(), name):
            return label


def _hung(above: Tensor, parent: Tensor, ends: Tensor, seen: Tensor, known: Tensor) -> Tensor:
    """Labels with the parents of ``ends`` hung below what these see, where that is smaller than what they
    know. Elsewhere each end writes to its own place what changes nothing: thousands of writes to one root
    would wait for each other.
    """
    place = torch.where(seen < known, parent, ends)
    hung = above.scatter_reduce(0, place, seen, "amin")
    return hung[hung]


def numbered(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Labels (N,) below N, each a member of its own group, renumbered without gaps in their order: (N,) new
    numbers, and how many there are, a tensor of one element.
    """
    own = (labels == torch.arange(len(labels), device=labels.device)).long()
    number = torch.cumsum(own, dim=0)
    return (number - 1)[labels], number[-1]
