"""What ComfyUI asks of a node and offers to it, as far as ours need it: the modules that they import, with
the names and parameters of the real ones (``test_real.py`` compares them), and the rules of its executor.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
import types
from pathlib import Path
from typing import Any, ClassVar

NODES = Path(__file__).parent.parent.parent / "comfyui"


class ProgressBar:
    """Of ``comfy.utils``; remembers what it was told."""

    made: ClassVar[list[ProgressBar]] = []

    def __init__(self, total: int, node_id: str | None = None) -> None:
        self.total, self.node_id = total, node_id
        self.told: list[tuple[int, Any]] = []
        ProgressBar.made.append(self)

    def update_absolute(self, value: int, total: int | None = None, preview: Any = None) -> None:
        self.told.append((value, preview))


class InterruptProcessingException(Exception):
    """Of ``comfy.model_management``."""


class Mesh:
    """``MESH`` of ``comfy_extras.nodes_hunyuan3d``."""

    def __init__(self, vertices: Any, faces: Any) -> None:
        self.vertices, self.faces = vertices, faces


class Comfy:
    """One ComfyUI: its output folder, and whether the user has asked to stop.

    Attributes:
        looks: how often a node asked whether it shall stop. stop_at: the look at which it shall.
    """

    def __init__(self, output: Path) -> None:
        self.output, self.looks, self.stop_at = output, 0, 0
        self.arguments = types.SimpleNamespace(disable_metadata=False)

    def throw_exception_if_processing_interrupted(self) -> None:
        self.looks += 1
        if self.looks == self.stop_at:
            raise InterruptProcessingException

    def get_output_directory(self) -> str:
        return str(self.output)

    def get_save_image_path(
        self, filename_prefix: str, output_dir: str, image_width: int = 0, image_height: int = 0
    ) -> tuple[str, str, int, str, str]:
        """Folder, name, next number, subfolder, prefix."""
        inside, _, name = filename_prefix.rpartition("/")
        folder = Path(output_dir) / inside
        folder.mkdir(parents=True, exist_ok=True)
        taken = [int(path.stem[len(name) + 1 :].split("_")[0]) for path in folder.glob(f"{name}_*")]
        return str(folder), name, max(taken, default=0) + 1, inside, filename_prefix

    def modules(self) -> dict[str, dict[str, Any]]:
        """Module -> the names in it that nodes use."""
        interrupted = self.throw_exception_if_processing_interrupted
        return {
            "folder_paths": {
                "get_output_directory": self.get_output_directory,
                "get_save_image_path": self.get_save_image_path,
            },
            "comfy.cli_args": {"args": self.arguments},
            "comfy.utils": {"ProgressBar": ProgressBar},
            "comfy.model_management": {"throw_exception_if_processing_interrupted": interrupted},
            "comfy_extras.nodes_hunyuan3d": {"MESH": Mesh},
        }


def load(comfy: Comfy, monkeypatch: Any) -> Any:
    """The node pack, loaded as ComfyUI loads it, among modules as ComfyUI has them."""
    for name, content in comfy.modules().items():
        for package in [name.rpartition(".")[0], name]:
            if package and package not in sys.modules:
                monkeypatch.setitem(sys.modules, package, types.ModuleType(package))
        for each, value in content.items():
            monkeypatch.setattr(sys.modules[name], each, value, raising=False)
    called = "the_node_pack"
    for name in [name for name in sys.modules if name.startswith(called)]:
        monkeypatch.delitem(sys.modules, name)
    spec = importlib.util.spec_from_file_location(called, NODES / "__init__.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, called, module)
    spec.loader.exec_module(module)
    return module


def faults(node: type[Any]) -> list[str]:
    """What is wrong with a node's class; empty for one that ComfyUI can show and execute."""
    inputs, found = node.INPUT_TYPES(), []
    function = getattr(node, getattr(node, "FUNCTION", ""), None)
    if function is None:
        return ["FUNCTION names no method"]
    takes = inspect.signature(function).parameters
    anything = any(each.kind is each.VAR_KEYWORD for each in takes.values())
    for section, fields in inputs.items():
        if section not in ("required", "optional", "hidden"):
            found.append(f"no section of inputs is called {section}")
        for name, kind in fields.items():
            if not anything and name not in takes:
                found.append(f"{node.FUNCTION} takes no {name}")
            if section != "hidden":
                found += _wrong(name, kind)
    count = len(node.RETURN_TYPES)
    for each in ("RETURN_NAMES", "OUTPUT_IS_LIST", "OUTPUT_TOOLTIPS"):
        if len(getattr(node, each, node.RETURN_TYPES)) != count:
            found.append(f"{each} is not as long as RETURN_TYPES")
    if hasattr(node, "IS_CHANGED"):
        asked = set(inspect.signature(node.IS_CHANGED).parameters)
        found += [f"IS_CHANGED takes no {name}" for name in {*inputs["required"]} - asked]
    return found if isinstance(getattr(node, "CATEGORY", None), str) else [*found, "no CATEGORY"]


def _wrong(name: str, field: tuple[Any, ...]) -> list[str]:
    """An input is (type or list of values, options); a widget's default is one of what may be chosen."""
    kind, options = field[0], field[1] if len(field) > 1 else {}
    default = options.get("default")
    if isinstance(kind, list):
        return [] if default in kind else [f"{name}: {default!r} is none of {kind}"]
    if kind in ("INT", "FLOAT"):
        within = isinstance(default, (int, float)) and options["min"] <= default <= options["max"]
        return [] if within else [f"{name}: {default!r} is out of range"]
    types_of = {"STRING": str, "BOOLEAN": bool}
    wrong = kind in types_of and not isinstance(default, types_of[kind])
    return [f"{name}: {default!r} is no {kind}"] if wrong or kind != kind.upper() else []


def execute(node: Any, **inputs: Any) -> tuple[dict[str, Any], tuple[Any, ...]]:
    """What the page is told, and the outputs: as the executor calls a node, with the defaults of what is
    required and not given.
    """
    fields = type(node).INPUT_TYPES()["required"]
    defaults = {name: kind[1]["default"] for name, kind in fields.items() if len(kind) > 1}
    answer = getattr(node, node.FUNCTION)(**{**defaults, **inputs})
    shown, outputs = (answer["ui"], answer["result"]) if isinstance(answer, dict) else ({}, answer)
    assert len(outputs) == len(node.RETURN_TYPES)
    for output, is_list in zip(outputs, getattr(node, "OUTPUT_IS_LIST", [False] * len(outputs))):
        assert isinstance(output, list) == is_list
    return shown, outputs
