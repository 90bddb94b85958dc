"""A model's name or folder to the runtime that it runs on, loaded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from geco.backend import Backend
from geco.errors import ConfigError, MissingExtraError
from geco.getting import find_folder
from geco.memory import claim_for_torch
from geco.model_files.card import is_exported, read_model_card, shown_name

if TYPE_CHECKING:
    from geco.onnx_runtime.providers import Provider

EMBEDDED = Path(__file__).parent / "assets" / "small"


def load_backend(
    model: str | os.PathLike[str], device: str | None = None, threads: int | None = None
) -> Backend:
    """Arguments and errors as of :meth:`geco.pipeline.GecoPipeline.from_pretrained`; ``threads`` is how many
    one operator of ONNX Runtime takes, None the machine's cores (torch has a setting of its own).
    """
    if threads is not None and threads < 1:
        raise ConfigError(f"{threads} threads are out of range", "Choose 1 or more.")
    folder = folder_of(model)
    name = None if folder is EMBEDDED or Path(model).is_dir() else os.fspath(model)
    return _in_folder(folder, device, name, threads)


def folder_of(model: str | os.PathLike[str]) -> Path:
    """Where a model's files lie; errors as :func:`geco.getting.find_folder`."""
    return EMBEDDED if str(model) == "small" else find_folder(model)


def _in_folder(folder: Path, device: str | None, name: str | None, threads: int | None) -> Backend:
    """A folder with graphs on ONNX Runtime, on the CPU or what one of its providers is for; on torch where
    another device is asked for, or there are no graphs.
    """
    card = read_model_card(folder)  # what is wrong with it is said before torch is asked for
    name = name or shown_name(folder)
    provider = None if device in (None, "cpu") else _provider(folder, device, name)
    if is_exported(folder) and card["family"] == "full" and device in (None, "cpu"):
        from geco.onnx_runtime.full import FullOnnxBackend

        return FullOnnxBackend(folder, name, threads)
    if is_exported(folder) and (provider or device in (None, "cpu")):
        from geco.onnx_runtime.backend import OnnxBackend

        return OnnxBackend(folder, name, provider, threads)
    return _on_torch(folder, device, name)


def _provider(folder: Path, device: str, name: str) -> Provider | None:
    """The provider of ONNX Runtime that a device means; None where it is torch's: NVIDIA's cards are, where
    torch finds them or ONNX Runtime could not use them.
    """
    from geco.onnx_runtime.providers import provider_of

    provider = provider_of(device)
    if provider is None or provider.device == "cuda":
        mine = provider is not None and is_exported(folder) and provider.is_installed()
        return provider if mine and not _torch_has_cuda() else None
    if not is_exported(folder):
        raise ConfigError(
            f"--device {device} runs graphs of ONNX Runtime, and {name} has none",
            "Add them with geco export (the small family), or use cpu, cuda or mps.",
        )
    return provider


def _torch_has_cuda() -> bool:
    try:
        import torch
    except ImportError:
        return False
    return torch.cuda.is_available()


def _on_torch(folder: Path, device: str | None, name: str) -> Backend:
    claim_for_torch()
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("torch", "torch", f"the model {name!r}") from error
    from geco.torch_runtime import folder as torch_folder

    return torch_folder.load_backend(folder, device, name)
