"""A model's name or folder to the runtime that it runs on, loaded."""

from __future__ import annotations

import os
from pathlib import Path

from geco.backend import Backend
from geco.getting import find_folder
from geco.model_files.card import is_exported, read_model_card, shown_name

EMBEDDED = Path(__file__).parent / "assets" / "small"


def load_backend(model: str | os.PathLike[str], device: str | None = None) -> Backend:
    """Arguments and errors as of :meth:`geco.pipeline.GecoPipeline.from_pretrained`."""
    if str(model) == "small":
        return _in_folder(EMBEDDED, device)
    folder = find_folder(model)
    return _in_folder(folder, device, None if Path(model).is_dir() else os.fspath(model))


def _in_folder(folder: Path, device: str | None, name: str | None = None) -> Backend:
    """A folder with graphs on ONNX Runtime, on the CPU; on torch where another device is asked for, or there
    are none.
    """
    read_model_card(folder)  # what is wrong with it is said before torch is asked for
    name = name or shown_name(folder)
    if device in (None, "cpu") and is_exported(folder):
        from geco.onnx_runtime.backend import OnnxBackend

        return OnnxBackend(folder, name)
    return _on_torch(folder, device, name)


def _on_torch(folder: Path, device: str | None, name: str) -> Backend:
    from geco.errors import MissingExtraError

    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("torch", "torch", f"the model {name!r}") from error
    from geco.torch_runtime import folder as torch_folder

    return torch_folder.load_backend(folder, device, name)
