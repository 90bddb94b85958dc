"""The house's rules, read off the source: imports only point down and in no circle, the torch-free floors
import no torch, and files, functions, signatures and lines stay short. ``benchmarks/house.py`` counts.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from benchmarks.house import (
    COLUMNS,
    FILE_LINES,
    FUNCTION_LINES,
    PARAMETERS,
    circles,
    functions,
    imports,
    length,
    long_lines,
    module_graph,
    modules,
    parameters,
    room_graph,
    texts,
    upward,
)

TREE = Path(__file__).parent.parent
SOURCE = TREE / "src" / "geco"

# Ground floor first. A room may import from its own floor and from the floors below it, never from above, and
# two rooms never from each other.
FLOORS: list[set[str]] = [
    {"errors", "graph", "version", "timing", "types"},
    {
        "arrays",
        "claims",
        "clash",
        "cores",
        "files",
        "foreign",
        "json_text",
        "locks",
        "marks",
        "memory",
        "noise",
        "processes",
        "reading",
    },
    {"outputs"},
    {"checked", "device", "passes", "simulated", "cameras"},
    {"sampling", "model_files"},
    {"images"},
    {"isosurface"},
    {"mesh"},
    {"render"},
    {"multiview", "reconstruct"},
    {"public_weights"},
    {"data", "metrics", "photo"},
    {"on_device"},
    {"training"},
    {"recipes"},
    {"surface_to_asset", "asset_options", "painting", "asset", "backend", "batches", "seen"}
    | {"small_model", "full_model"},
    {"best", "onnx_runtime", "torch_runtime"},
    {"getting", "rehearsal"},
    {"loading"},
    {"pipeline", "choices"},
    {"optimize"},
    {"evaluate", "many", "serve"},
    {"cli"},
]

# Modules that `geco run` on the embedded model may load: everything outside these may not name torch at
# import.
TORCH_ROOMS = {
    "device",
    "simulated",
    "model_files.folder",
    "model_files.publish",
    "model_files.stream",
    "model_files.state",
    "multiview",
    "optimize",
    "rehearsal",
    "passes",
    "reconstruct.folded",
    "reconstruct.half",
    "reconstruct.instantmesh",
    "reconstruct.density",
    "reconstruct.lattice",
    "reconstruct.packed",
    "reconstruct.plane_fields",
    "reconstruct.triplane",
    "reconstruct.pixelnerf",
    "reconstruct.triposr",
    "reconstruct.vit",
    "reconstruct.small",
    "isosurface.connect_torch",
    "isosurface.crossings",
    "isosurface.flexicubes_torch",
    "isosurface.tensor_grid",
    "isosurface.tetrahedra",
    "render.antialias",
    "render.cover_torch",
    "render.rasterize_torch",
    "render.shade_torch",
    "render.zbuffer_torch",
    "public_weights",
    "training",
    "metrics.clip",
    "metrics.features",
    "metrics.lpips",
    "metrics.lpips_trunks",
    "metrics.pyramid",
    "torch_runtime",
    "on_device",
    "onnx_runtime.export",
    "onnx_runtime.export_bridge",
    "onnx_runtime.export_external",
    "onnx_runtime.export_full",
    "onnx_runtime.export_full_modules",
    "onnx_runtime.export_layers",
    "onnx_runtime.export_modules",
    "onnx_runtime.export_shapes",
    "onnx_runtime.export_trace",
    "onnx_runtime.export_views",
    "onnx_runtime.export_volume",
}
# Everything outside these imports these libraries where it uses them, if at all.
FOREIGN_ROOMS = {"serve.app", "serve.describe", "serve.fields", "serve.form", "serve.routes"}
FOREIGN_ONLY_INSIDE = {
    *("trimesh", "numba", "xatlas", "rembg", "cv2", "pxr", "nvdiffrast", "imageio_ffmpeg", "fastapi"),
    *("igl", "ray", "bpy", "objaverse", "scipy", "pillow_heif", "pi_heif", "DracoPy"),
}

# What may be longer or wider than the rules say, each with its reason.
LONG_FILES: set[str] = set()
LONG_FUNCTIONS = {
    "data.render.kernels._draw",  # numba compiles one function
    "isosurface.flexicubes_torch.FlexiCubes.__call__",  # ten parameters to document: the public code's
}
WIDE_FUNCTIONS = {
    "isosurface.flexicubes_torch.FlexiCubes.__call__",  # the public code's
    # diffusers takes components and settings of a folder one by one
    "public_weights.shipped.full_pipeline.GecoFullPipeline.__init__",
    "public_weights.shipped.small_network.GecoSmallNetwork.__init__",
}


MODULES = modules(SOURCE)
GRAPH = module_graph(MODULES)


def floor_of(name: str) -> int | None:
    """The floor of the longest room name that ``name`` starts with."""
    best, floor = "", None
    for index, rooms in enumerate(FLOORS):
        for room in rooms:
            if (name == room or name.startswith(room + ".")) and len(room) > len(best):
                best, floor = room, index
    return floor


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


def inside(name: str, rooms: set[str]) -> bool:
    """Whether a module is one of ``rooms`` or in one."""
    return any(name == room or name.startswith(room + ".") for room in rooms)


@pytest.mark.parametrize("name", MODULES)
def test_heavy_libraries_are_imported_where_they_are_used(name: str) -> None:
    for imported, line in imports(MODULES[name], top_level_only=True):
        root = imported.split(".")[0]
        where = f"{name}:{line} imports {root} at module level"
        assert root not in FOREIGN_ONLY_INSIDE or inside(name, FOREIGN_ROOMS), where
        assert root not in ("torch", "diffusers", "transformers") or inside(name, TORCH_ROOMS), where


def test_every_exception_to_the_rules_is_needed() -> None:
    """A room that is gone, or that has become light, leaves the lists."""
    for rooms, libraries in [
        (TORCH_ROOMS, {"torch", "diffusers", "transformers"}),
        (FOREIGN_ROOMS, FOREIGN_ONLY_INSIDE),
    ]:
        heavy = {
            name
            for name, tree in MODULES.items()
            if libraries & {i.split(".")[0] for i, _ in imports(tree, top_level_only=True)}
        }
        light = [room for room in rooms if not any(inside(name, {room}) for name in heavy)]
        assert not light, f"these may leave the list: {light}"


def test_no_two_modules_and_no_two_rooms_lean_on_each_other() -> None:
    assert circles(GRAPH) == []
    assert circles(room_graph(GRAPH)) == []
    assert upward(room_graph(GRAPH), FLOORS) == []
    assert not [room for rooms in FLOORS for room in rooms if "." in room], "a floor is for whole rooms"


def test_files_are_pages_not_books() -> None:
    lines = {str(p.relative_to(SOURCE)): len(p.read_text("utf-8").splitlines()) for p in SOURCE.rglob("*.py")}
    long = {name: n for name, n in lines.items() if n > FILE_LINES and name not in LONG_FILES}
    assert not long, f"split these files by subject: {long}"


def test_functions_fit_a_screen() -> None:
    long = [
        (f"{module}.{name}", length(f))
        for module, tree in MODULES.items()
        for name, f in functions(tree)
        if length(f) > FUNCTION_LINES and f"{module}.{name}" not in LONG_FUNCTIONS
    ]
    assert not long, f"give parts of these functions names: {long}"


def test_signatures_are_short() -> None:
    wide = [
        (f"{module}.{name}", parameters(f))
        for module, tree in MODULES.items()
        for name, f in functions(tree)
        if parameters(f) > PARAMETERS and f"{module}.{name}" not in WIDE_FUNCTIONS
    ]
    assert not wide, f"what these take together is a type: {wide}"


def test_every_exception_to_the_sizes_is_needed() -> None:
    found = {f"{module}.{name}": f for module, tree in MODULES.items() for name, f in functions(tree)}
    assert all(len((SOURCE / name).read_text("utf-8").splitlines()) > FILE_LINES for name in LONG_FILES)
    assert all(name in found and length(found[name]) > FUNCTION_LINES for name in LONG_FUNCTIONS)
    assert all(name in found and parameters(found[name]) > PARAMETERS for name in WIDE_FUNCTIONS)


def test_lines_fit_two_columns_on_a_laptop() -> None:
    long = [place for _, place in long_lines(TREE, texts(TREE))]
    assert not long, f"over {COLUMNS} columns: {long}"


def test_the_rules_can_fail() -> None:
    tree = ast.parse("import torch\ndef f():\n    import trimesh\nfrom geco.cli import main\n")
    assert {name for name, _ in imports(tree, top_level_only=True)} == {"torch", "geco.cli", "geco.cli.main"}
    assert "trimesh" in {name for name, _ in imports(tree, top_level_only=False)}
    assert floor_of("cli") > floor_of("mesh.uv") > floor_of("images.color")  # type: ignore[operator]


def test_the_rules_about_circles_can_fail() -> None:
    trees = {
        "images": ast.parse("from geco.images import color"),
        "images.color": ast.parse("def f():\n    from geco.mesh.types import Mesh"),
        "mesh.types": ast.parse("import geco.files\nfrom geco.mesh import uv"),
        "mesh.uv": ast.parse("from geco.mesh.types import Mesh\nfrom geco.images.color import f"),
        "files": ast.parse("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import geco.mesh.uv"),
    }
    graph = module_graph(trees)
    assert graph["mesh.uv"] == {"mesh.types", "images.color"} and graph["files"] == set()
    assert circles(graph) == [["images.color", "mesh.types", "mesh.uv"]]
    rooms = room_graph(graph)
    assert circles(rooms) == [["images", "mesh"]]
    assert upward(rooms, [{"files"}, {"images"}, {"mesh"}]) == ["images -> mesh"]


def test_the_rules_about_sizes_can_fail(tmp_path: Path) -> None:
    body = "\n".join(["class A:", "    def f(self, a, b, *c, d, **e):", *["        pass"] * FUNCTION_LINES])
    (name, function), (inner, g) = functions(ast.parse(body + "\n        def g(x): pass\n"))
    assert (name, inner) == ("A.f", "A.f.g") and length(g) == 1
    assert length(function) == FUNCTION_LINES + 2 and parameters(function) == 3
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "a.sh").write_text("x" * COLUMNS + "\n" + "x" * (COLUMNS + 1))
    assert long_lines(tmp_path, texts(tmp_path)) == [(COLUMNS + 1, "runs/a.sh:2")]
