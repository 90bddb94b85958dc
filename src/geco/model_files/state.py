"""A state against a model: names, shapes and numbers are compared before anything is loaded."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from geco.errors import WeightsError
from geco.model_files.folder import read_safetensors, tensor_shapes

Model = TypeVar("Model", bound=nn.Module)


def filled(build: Callable[[], Model], path: Path) -> Model:
    """What ``build`` makes, in evaluation mode, with the tensors of a safetensors file as float32 for its
    parameters.

    Names and shapes are compared before anything is allocated, so memory is bounded by the file's size,
    whatever the settings ask for.

    Raises:
        WeightsError: the file is missing or damaged, or does not fit; see :func:`check_state`.
    """
    with _Shapes():
        model = build()
    state = _fitting(model, path, "cpu")
    model.load_state_dict({name: value.float().clone() for name, value in state.items()}, assign=True)
    return model.eval()


def loaded(model: Model, path: Path, device: torch.device | str = "cpu") -> Model:
    """``model``, which is on ``meta``, with the tensors of a safetensors file on ``device`` as float32, for
    inference; what is float32 in the file is not copied. Errors as of :func:`filled`.
    """
    model.load_state_dict(_fitting(model, path, device), assign=True)
    return model.float().eval().requires_grad_(False)


def _fitting(model: nn.Module, path: Path, device: torch.device | str) -> dict[str, Tensor]:
    """The tensors of a file, compared with a model's: shapes before they are read."""
    wanted = model.state_dict()
    check_shapes(tensor_shapes(path), wanted, path)
    state = read_safetensors(path, device)
    check_state(state, wanted, path)
    return state


class _Shapes(TorchFunctionMode):
    """Within it, new tensors have no memory; what is computed from numbers (buffers of constants)
    is as always.
    """

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function in (torch.empty, torch.zeros, torch.ones, torch.randn):
            kwargs = {**(kwargs or {}), "device": "meta"}
        return function(*args, **(kwargs or {}))


def check_state(
    state: Mapping[str, Tensor], wanted: Mapping[str, Tensor], source: str | os.PathLike[str]
) -> None:
    """Compare a state with a model's (which may be on the meta device).

    Raises:
        WeightsError: the first missing key, unexpected key, wrong shape, other kind of number, or number that
            is not finite, with the file and how many others there are.
    """
    check_shapes({key: _shape(value) for key, value in state.items()}, wanted, source)
    for key, value in state.items():
        if value.is_floating_point() != wanted[key].is_floating_point() or value.is_complex():
            raise WeightsError(
                f"{source}: {key!r} is of the type {value.dtype}", "It belongs to another model."
            )
        if value.device.type == "meta" or value.layout != torch.strided:
            raise WeightsError(
                f"{source}: {key!r} has no numbers of its own", "It is not the published file."
            )
        if value.is_floating_point() and not _is_finite(value):
            raise WeightsError(
                f"{source}: {key!r} holds numbers that are not finite", "Train or download it again."
            )


def check_shapes(
    state: Mapping[str, tuple[int, ...]], wanted: Mapping[str, Tensor], source: str | os.PathLike[str]
) -> None:
    """:func:`check_state` of names and shapes alone."""
    missing = [key for key in wanted if key not in state]
    unexpected = [key for key in state if key not in wanted]
    shapes = [key for key in wanted if key in state and state[key] != tuple(wanted[key].shape)]
    if missing:
        raise WeightsError(
            f"{source} lacks {missing[0]!r}{_others(missing)}",
            "It is incomplete, or belongs to another model: check which one it is.",
        )
    if unexpected:
        raise WeightsError(
            f"{source} has a key that the model does not know, {unexpected[0]!r}{_others(unexpected)}",
            "It belongs to another model or a newer version.",
        )
    if shapes:
        key = shapes[0]
        raise WeightsError(
            f"{source}: {key!r} has shape {state[key]}, the model wants "
            f"{tuple(wanted[key].shape)}{_others(shapes)}",
            "It belongs to another size of the model.",
        )


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(value.shape)


def _is_finite(value: Tensor) -> bool:
    # One number tells, unless large ones add up to infinity.
    return bool(torch.isfinite(value.sum(dtype=torch.float32))) or bool(torch.isfinite(value).all())


def _others(keys: list[str]) -> str:
    return f" and {len(keys) - 1} more" if len(keys) > 1 else ""
