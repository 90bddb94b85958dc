"""Models that a library (diffusers, transformers) builds: settings bounded first, weights loaded strictly.

What each of them means is the library's to know. That none is so large or so deep that building would take
the machine's memory or minutes is checked here; the library's own exceptions become our error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from geco.errors import WeightsError
from geco.foreign import Fields
from geco.model_files.state import check_shapes, check_state

Model = TypeVar("Model", bound=nn.Module)

MOST_WIDTH = 200_000  # of any number: CLIP's vocabulary has 49,408 words, the widest layers have thousands
MOST_LAYERS = 128  # of what is counted: Zero123++'s parts have at most 32
MOST_ITEMS = 256
_COUNTED = ("layers", "num_layers", "layers_per_block", "num_attention_heads", "attention_head_dim", "blocks")


def check_library_config(fields: Fields, depth: int = 4) -> Fields:
    """The fields, after making sure that every number, list and text in them is of a sane size.

    Raises:
        The fields' own error.
    """
    for name, value in fields.values.items():
        _check(fields, name, value, depth)
    return fields


def built(build: Callable[[], Model], fields: Fields) -> Model:
    """What ``build`` makes; whatever it raises becomes the fields' own error."""
    try:
        return build()
    except Exception as error:
        why = (str(error) or type(error).__name__).splitlines()[0]
        raise fields.wrong(f"does not describe the expected part: {why[:200]}") from error


def part(build: Callable[[], Model], state: Mapping[str, Tensor], weights: Path, config: Fields) -> Model:
    """A library's model of checked settings, with ``state`` for its weights; nothing larger than that is
    allocated.

    Raises:
        WeightsError: the library does not take the settings, or the weights are of another shape.
    """
    with torch.device("meta"):
        shapes = built(build, config).state_dict()
    check_shapes({key: tuple(value.shape) for key, value in _renamed(shapes, state).items()}, shapes, weights)
    return filled(built(lambda: on_meta(build), config), state, weights)


def on_meta(build: Callable[[], Model]) -> Model:
    """What ``build`` makes, without keeping its parameters' memory."""
    # Parameters only: buffers that are computed, not stored, must stay real.
    from accelerate import init_empty_weights

    with init_empty_weights(include_buffers=False):
        return build()


def filled(module: Model, state: Mapping[str, Tensor], source: Path) -> Model:
    """``module`` with ``state`` for its parameters; keys are first brought to the installed
    transformers' naming.
    """
    wanted = module.state_dict()
    own = _renamed(wanted, state)
    check_state(own, wanted, source)
    module.load_state_dict(own, strict=True, assign=True)
    return module.eval()


def in_half(module: nn.Module, dtype: torch.dtype, source: Path) -> None:
    """Round a module's numbers to ``dtype``, a tensor at a time: memory stays at one copy and the largest.

    Raises:
        WeightsError: one is too large for it.
    """
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        if not tensor.is_floating_point() or tensor.dtype == dtype:
            continue
        rounded = tensor.data.to(dtype)
        if not bool(torch.isfinite(rounded).all()):
            raise WeightsError(
                f"{source}: {name!r} holds numbers too large for {dtype}", "Convert with --precision float32."
            )
        tensor.data = rounded


def _renamed(wanted: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    # CLIP's position numbers were stored once and are computed now; its text model lost a prefix in
    # transformers 5.
    own = {key: value for key, value in state.items() if not key.endswith("embeddings.position_ids")}
    prefix = "text_model."
    if all(key.startswith(prefix) for key in own) and not any(key.startswith(prefix) for key in wanted):
        return {key.removeprefix(prefix): value for key, value in own.items()}
    if all(key.startswith(prefix) for key in wanted) and not any(key.startswith(prefix) for key in own):
        return {prefix + key: value for key, value in own.items()}
    return own


def _check(fields: Fields, name: str, value: Any, depth: int) -> None:
    if depth == 0:
        raise fields.wrong(f"nests too deeply in {name}")
    match value:
        case bool() | None:
            pass
        case int():
            most = MOST_LAYERS if any(word in name for word in _COUNTED) else MOST_WIDTH
            Fields({name: value}, fields.where, fields.error, fields.remedy).integer(name, -1, most)
        case float():
            Fields({name: value}, fields.where, fields.error, fields.remedy).number(name, -1e9, 1e9)
        case str():
            if len(value) > 1000:
                raise fields.wrong(f"has a {name} of {len(value)} characters")
        case list():
            if len(value) > MOST_ITEMS:
                raise fields.wrong(f"lists {len(value)} {name}")
            for item in value:
                _check(fields, name, item, depth - 1)
        case dict():
            if len(value) > MOST_ITEMS:
                raise fields.wrong(f"holds {len(value)} {name}")
            for inner, item in value.items():
                _check(fields, inner, item, depth - 1)
