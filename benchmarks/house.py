"""The house counted: sizes of files and functions, parameters, long lines, circles, arrows, megabytes.

    python -m benchmarks.house [TREE]

TREE is a checkout (default: this one); only files that git tracks are read. A function's length is from its
``def`` to its last line; ``self``, ``cls``, ``*args`` and ``**kwargs`` are no parameters. A module imports
what its text names anywhere, blocks under ``TYPE_CHECKING`` left out. A room is the first name below
``geco``: a folder, or a module of the ground. The floors are those of the tree's own architecture test; an
arrow is upward when its target's floor is above. One Markdown table, then the lists, then one JSON line.
The architecture test counts with the same functions.
"""

from __future__ import annotations

import argparse
import ast
import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

HERE = Path(__file__).parent.parent
FILE_LINES, FUNCTION_LINES, PARAMETERS, COLUMNS = 250, 50, 7, 110
# A URL or a table's row cannot be broken, so Markdown is left out.
TEXT = {".py", ".sh", ".js", ".css", ".html", ".toml", ".yml", ".yaml"}
WEIGHTS = {".safetensors", ".onnx"}

Function = ast.FunctionDef | ast.AsyncFunctionDef
Graph = dict[str, set[str]]


def functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, Function]]:
    """Every function, with its classes' and outer functions' names before its own."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Function):
            yield prefix + node.name, node
        inner = f"{prefix}{node.name}." if isinstance(node, Function | ast.ClassDef) else prefix
        yield from functions(node, inner)


def length(function: Function) -> int:
    """Lines from ``def`` to the last, both counted; decorators are not."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def parameters(function: Function) -> int:
    named = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return len(named) - bool(named and named[0].arg in ("self", "cls"))


def imports(tree: ast.Module, top_level_only: bool = False) -> Iterator[tuple[str, int]]:
    """Absolute names of imported modules and their lines; blocks under ``TYPE_CHECKING`` are left out.
    ``from geco.a import b`` gives ``geco.a`` and ``geco.a.b``, since ``b`` may be a module.
    """
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        if top_level_only and isinstance(node, Function):
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module or "", node.lineno
            if node.module and node.module.split(".")[0] == "geco":
                yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)
        stack.extend(ast.iter_child_nodes(node))


def modules(source: Path) -> dict[str, ast.Module]:
    """Every module below ``source`` (the folder ``geco``), by its dotted name without ``geco``."""
    found = {}
    for path in sorted(source.rglob("*.py")):
        parts = path.relative_to(source).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = ast.parse(path.read_text("utf-8"))
    return found


def module_graph(trees: Mapping[str, ast.Module]) -> Graph:
    """Module -> the modules that it imports: of ``geco.a`` and ``geco.a.b`` the deeper that exists."""
    graph: Graph = {name: set() for name in trees}
    for name, tree in trees.items():
        named = {i.removeprefix("geco.") for i, _ in imports(tree) if i.startswith("geco.")}
        exact = {i for i in named if i in trees}
        packages = {i.rpartition(".")[0] for i in named if i.rpartition(".")[0] in trees and i not in trees}
        parents = {i for i in exact if any(j.startswith(i + ".") for j in exact)}
        graph[name] = ((exact - parents) | packages) - {name, ""}
    return graph


def room_graph(graph: Graph) -> Graph:
    """The same between rooms."""
    rooms: Graph = {}
    for name, targets in graph.items():
        room = name.split(".")[0]
        rooms.setdefault(room, set()).update(target.split(".")[0] for target in targets)
    return {room: targets - {room} for room, targets in rooms.items() if room not in ("", "__main__")}


def circles(graph: Graph) -> list[list[str]]:
    """Groups of names that all reach each other, each sorted."""
    reached = {name: _reach(graph, name) for name in graph}
    groups = {tuple(sorted(b for b in reached[a] if a in reached.get(b, ()))) for a in graph}
    return sorted(list(group) for group in groups if len(group) > 1)


def _reach(graph: Graph, start: str) -> set[str]:
    seen: set[str] = set()
    todo = [start]
    while todo:
        new = graph.get(todo.pop(), set()) - seen
        seen |= new
        todo.extend(new)
    return seen


def upward(rooms: Graph, floors: list[set[str]]) -> list[str]:
    """``a -> b`` for each room whose target stands on a higher floor."""
    floor = {room: index for index, level in enumerate(floors) for room in level}
    return sorted(
        f"{room} -> {target}"
        for room, targets in rooms.items()
        for target in targets
        if floor.get(target, 0) > floor.get(room, len(floors))
    )


def floors_of(tests: Path) -> list[set[str]]:
    """``FLOORS`` as the text of the architecture test has it."""
    for node in ast.parse(tests.read_text("utf-8")).body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "FLOORS" and node.value:
            return list(ast.literal_eval(node.value))
    raise SystemExit(f"{tests}: no FLOORS")


@dataclass
class Sizes:
    """Python files of one folder: how many, how long, and which are too long; entries ``(count, name)``."""

    files: int = 0
    lines: int = 0
    functions: int = 0
    long_files: list[tuple[int, str]] = field(default_factory=list)
    long_functions: list[tuple[int, str]] = field(default_factory=list)
    wide_functions: list[tuple[int, str]] = field(default_factory=list)


def sizes(tree: Path, paths: Iterable[str]) -> Sizes:
    """``paths`` are relative to ``tree``; lists longest first."""
    found = Sizes()
    for path in paths:
        text = (tree / path).read_text("utf-8")
        lines = len(text.splitlines())
        found.files += 1
        found.lines += lines
        if lines > FILE_LINES:
            found.long_files.append((lines, path))
        for name, function in functions(ast.parse(text)):
            found.functions += 1
            if length(function) > FUNCTION_LINES:
                found.long_functions.append((length(function), f"{path}:{function.lineno} {name}"))
            if parameters(function) > PARAMETERS:
                found.wide_functions.append((parameters(function), f"{path}:{function.lineno} {name}"))
    for entries in (found.long_files, found.long_functions, found.wide_functions):
        entries.sort(key=lambda entry: (-entry[0], entry[1]))
    return found


def texts(tree: Path) -> list[str]:
    """Paths of the text sources that are the project's own (none in a folder vendor), without git."""
    folders = ("benchmarks", "runs", "src", "tests", ".ci")
    below = [path for folder in folders for path in (tree / folder).rglob("*") if path.is_file()]
    paths = [path for path in (*tree.iterdir(), *below) if path.parent.name != "vendor"]
    return sorted(str(path.relative_to(tree)) for path in paths if path.suffix in TEXT or path.name == "run")


def tracked(tree: Path) -> dict[str, int]:
    """Path -> bytes at HEAD."""
    command = ["git", "-C", str(tree), "ls-tree", "-r", "-l", "-z", "HEAD"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0")
    rows = (row.split("\t", 1) for row in listed if row)
    return {path: int(about.split()[3]) for about, path in rows if about.split()[3] != "-"}


def long_lines(tree: Path, paths: Iterable[str]) -> list[tuple[int, str]]:
    """``(columns, path:line)`` of every line over 110 columns in a text source."""
    return [
        (len(line), f"{path}:{number}")
        for path in paths
        for number, line in enumerate((tree / path).read_text("utf-8").splitlines(), 1)
        if len(line) > COLUMNS
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tree", type=Path, nargs="?", default=HERE)
    tree = parser.parse_args().tree
    size = {path: bytes_ for path, bytes_ in tracked(tree).items() if (tree / path).is_file()}
    folders = {
        name: sizes(tree, [p for p in size if p.startswith(f"{name}/") and p.endswith(".py")])
        for name in ("src", "tests", "benchmarks")
    }
    graph = module_graph(modules(tree / "src" / "geco"))
    rooms = room_graph(graph)
    lists: dict[str, list[tuple[int, str]]] = {
        f"{title}, {name}": getattr(found, key)
        for title, key in [
            (f"files over {FILE_LINES} lines", "long_files"),
            (f"functions over {FUNCTION_LINES} lines", "long_functions"),
            (f"functions with over {PARAMETERS} parameters", "wide_functions"),
        ]
        for name, found in folders.items()
    }
    lists[f"lines over {COLUMNS} columns"] = long_lines(tree, sorted(set(texts(tree)) & set(size)))
    lists["circles between modules"] = [(len(c), " <-> ".join(c)) for c in circles(graph)]
    lists["circles between rooms"] = [(len(c), " <-> ".join(c)) for c in circles(rooms)]
    floors = floors_of(tree / "tests" / "test_architecture.py")
    lists["upward arrows between rooms"] = [(1, arrow) for arrow in upward(rooms, floors)]
    lists["floors of a single file inside a room"] = [(1, r) for level in floors for r in level if "." in r]
    counts: dict[str, float] = {}
    for name, found in folders.items():
        about = asdict(found)
        counts |= {f"{kind}, {name}": about[kind] for kind in ("files", "lines", "functions")}
    counts |= {"rooms": len(rooms), "arrows between rooms": sum(map(len, rooms.values()))}
    counts |= {title: len(entries) for title, entries in lists.items()}
    weights = {path: n for path, n in size.items() if Path(path).suffix in WEIGHTS and path[:6] != "tests/"}
    counts["MB tracked at HEAD"] = round(sum(size.values()) / 1e6, 1)
    counts["MB of weights at HEAD"] = round(sum(weights.values()) / 1e6, 1)
    print("| | |\n|---|---:|\n" + "\n".join(f"| {title} | {count:,} |" for title, count in counts.items()))
    for title, entries in lists.items():
        if entries:
            print(f"\n{title}:\n" + "\n".join(f"  {count:5d}  {name}" for count, name in entries))
    print("\n" + json.dumps(counts))


if __name__ == "__main__":
    main()
