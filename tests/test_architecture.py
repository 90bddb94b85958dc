"""The house's rules, read off the source: imports only point down, and the torch-free floors
import no torch.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "geco"

# Ground floor first. A room may import from its own floor's room and from the floors below it, never from
# above.
FLOORS: list[set[str]] = [
    {"errors", "version", "timing", "types"},
    {"arrays", "files", "foreign", "locks", "marks", "memory", "noise", "processes"},
    {"outputs"},
    {"checked", "device", "cameras"},
    {"sampling", "model_files"},
    {"images"},
    {"isosurface"},
    {"mesh"},
    {"render"},
    {"multiview", "reconstruct"},
    {"public_weights"},
    {"data", "metrics", "photo"},
    {"training"},
    {"recipes"},
    {"surface_to_asset", "asset", "backend"},
    {"onnx_runtime", "torch_runtime"},
    {"pipeline"},
    {"evaluate", "serve"},
    {"cli"},
]

# Modules that `geco run` on the embedded model may load: everything outside these may not name torch at
# import.
TORCH_ROOMS = {
    "device",
    "model_files.folder",
    "model_files.publish",
    "model_files.state",
    "multiview",
    "reconstruct.instantmesh",
    "reconstruct.small",
    "isosurface.crossings",
    "isosurface.flexicubes_torch",
    "isosurface.tetrahedra",
    "render.antialias",
    "render.rasterize_torch",
    "render.shade_torch",
    "render.zbuffer_torch",
    "public_weights",
    "training",
    "recipes",
    "metrics.clip",
    "metrics.features",
    "metrics.lpips",
    "metrics.pyramid",
    "torch_runtime",
    "onnx_runtime.export",
    "onnx_runtime.export_modules",
    "onnx_runtime.export_volume",
}
FOREIGN_ONLY_INSIDE = {
    *("trimesh", "numba", "xatlas", "rembg", "cv2", "pxr", "nvdiffrast", "imageio_ffmpeg", "fastapi"),
    *("igl", "ray", "bpy", "objaverse", "scipy", "pillow_heif", "pi_heif"),
}


def modules() -> dict[str, ast.Module]:
    """Every module's dotted name below ``geco`` and its tree."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found[".".join(p for p in parts if p != "__init__")] = ast.parse(path.read_text())
    return found


MODULES = modules()


def floor_of(name: str) -> int | None:
    """The floor of the longest room name that ``name`` starts with."""
    best, floor = "", None
    for index, rooms in enumerate(FLOORS):
        for room in rooms:
            if (name == room or name.startswith(room + ".")) and len(room) > len(best):
                best, floor = room, index
    return floor


def imports(tree: ast.Module, top_level_only: bool) -> Iterator[tuple[str, int]]:
    """Absolute names of imported modules and their lines; blocks under TYPE_CHECKING are left out."""
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        if top_level_only and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module or "", node.lineno
            if node.module and node.module.split(".")[0] == "geco":
                yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)
        stack.extend(ast.iter_child_nodes(node))


@pytest.mark.parametrize("name", MODULES)
def test_every_room_has_a_floor_and_imports_only_from_below(name: str) -> None:
    if name in ("", "__main__"):
        return
    floor = floor_of(name)
    assert floor is not None, f"{name} has no floor: add it to FLOORS"
    for imported, line in imports(MODULES[name], top_level_only=False):
        if not imported.startswith("geco."):
            continue
        target = floor_of(imported.removeprefix("geco."))
        if target is None or imported == "geco.mesh.Mesh":
            continue
        assert target <= floor, f"{name}:{line} imports {imported} from a floor above"


@pytest.mark.parametrize("name", MODULES)
def test_heavy_libraries_are_imported_where_they_are_used(name: str) -> None:
    torch_room = any(name == room or name.startswith(room + ".") for room in TORCH_ROOMS)
    for imported, line in imports(MODULES[name], top_level_only=True):
        root = imported.split(".")[0]
        assert root not in FOREIGN_ONLY_INSIDE or name.startswith(
            ("data", "serve.", "render.zbuffer_kernels")
        ), f"{name}:{line} imports {root} at module level"
        assert torch_room or root not in ("torch", "diffusers", "transformers"), (
            f"{name}:{line} imports {root}"
        )


def test_files_are_pages_not_books() -> None:
    long = {p.name: n for p in SOURCE.rglob("*.py") if (n := len(p.read_text().splitlines())) > 400}
    assert not long, f"split these files: {long}"


def test_the_rules_can_fail() -> None:
    tree = ast.parse("import torch\ndef f():\n    import trimesh\nfrom geco.cli import main\n")
    assert {name for name, _ in imports(tree, top_level_only=True)} == {"torch", "geco.cli", "geco.cli.main"}
    assert "trimesh" in {name for name, _ in imports(tree, top_level_only=False)}
    assert floor_of("cli") > floor_of("mesh.uv") > floor_of("images.color")  # type: ignore[operator]
