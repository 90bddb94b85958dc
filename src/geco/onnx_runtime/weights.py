"""The weights of an exported model, as its graphs want them: the numbers of the model's own files, moved."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from geco.foreign import Fields
from geco.types import Array

Weights = Mapping[str, Array]  # tensors by name


@dataclass(frozen=True)
class Form:
    """How a graph wants a tensor: its axes in another order, then in another shape.

    Attributes:
        order: which axis comes where, as numpy's transpose; None leaves them.
        shape: of the result; None leaves it.
    """

    order: tuple[int, ...] | None = None
    shape: tuple[int, ...] | None = None

    def of(self, tensor: Array) -> Array:
        """The tensor in this form, contiguous; a view of it where no number moves. ValueError if it cannot
        be.
        """
        moved = tensor if self.order is None else np.ascontiguousarray(tensor.transpose(self.order))
        return moved if self.shape is None else moved.reshape(self.shape)

    def to_dict(self) -> dict[str, list[int]]:
        """For JSON."""
        return {name: list(value) for name, value in vars(self).items() if value is not None}

    @classmethod
    def from_fields(cls, fields: Fields) -> Form:
        """From JSON; the fields' own error."""
        order = fields.only(("order", "shape")).integers("order", 0, 7, 8, None)
        shape = fields.integers("shape", 1, 2**31, 8, None)
        if order is not None and sorted(order) != list(range(len(order))):
            raise fields.wrong("has an order that is no order of axes")
        return cls(None if order is None else tuple(order), None if shape is None else tuple(shape))


def formed(tensors: Weights, forms: Mapping[str, Form]) -> dict[str, Array]:
    """All tensors, those in ``forms`` as it says. ValueError where one is not there or cannot be so."""
    found = dict(tensors)
    for name, form in forms.items():
        if name not in tensors:
            raise ValueError(f"it asks for weights that are not there: {name!r}")
        tensor = tensors[name]
        if (form.order is not None and len(form.order) != tensor.ndim) or (
            form.shape is not None and math.prod(form.shape) != tensor.size
        ):
            raise ValueError(f"it wants {name!r} of shape {tensor.shape} in a form that it does not have")
        found[name] = form.of(tensor)
    return found
