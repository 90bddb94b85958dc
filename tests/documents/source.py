"""The repository's own files, and what stands in them; nothing is imported."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
# Ours, so that whatever a page names below them must be there.
TOP = ("src", "tests", "docs", "benchmarks", "runs", "models", "examples", "blender", "comfyui", ".ci")


@lru_cache
def tracked() -> tuple[Path, ...]:
    """The repository's own files (no environments, no outputs)."""
    roots = [ROOT / top for top in TOP]
    files = [path for root in roots for path in root.rglob("*") if "__pycache__" not in path.parts]
    return (*files, *ROOT.glob("*.*"))


@lru_cache
def code() -> str:
    """All code, as one text; not the checker and its test."""
    kinds = (".py", ".sh", ".toml", ".html", ".js", ".yml")
    here = Path(__file__).parent
    mine = {*here.glob("*.py"), here.parent / "test_documents.py"}
    files = [path for path in tracked() if path.suffix in kinds and path not in mine]
    return "\n".join(path.read_text(errors="replace") for path in files)


@lru_cache
def words_of_code() -> frozenset[str]:
    """Every name and every word in the code."""
    return frozenset(re.findall(r"\w+", code()))


@lru_cache
def tree_of(path: Path) -> ast.Module:
    """A source file's tree."""
    return ast.parse(path.read_text())


def resolves(dotted: str) -> bool:
    """Whether a dotted name is a module of ours or stands in one; nothing is imported."""
    parts = dotted.split(".")
    base = ROOT / "src" if parts[0] == "geco" else ROOT
    for cut in range(len(parts), 0, -1):
        stem = base.joinpath(*parts[:cut])
        file = stem / "__init__.py" if stem.is_dir() else stem.with_suffix(".py")
        if file.exists():
            return not parts[cut:] or holds(tree_of(file), parts[cut:])
    return False


def has_member(dotted: str) -> bool:
    """Whether a class of ours by that name has the attribute; a class that is not ours is not asked."""
    owner, *rest = dotted.split(".")
    files = [path for path in tracked() if path.suffix == ".py" and f"class {owner}" in path.read_text()]
    return not files or any(holds(tree_of(path), [owner, *rest]) for path in files)


def holds(scope: ast.AST, names: list[str]) -> bool:
    for node in getattr(scope, "body", []):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found = [node.name]
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found = [(alias.asname or alias.name).split(".")[0] for alias in node.names]
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found = [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]
        else:
            found = []
            if isinstance(node, (ast.If, ast.Try)) and holds(node, names):
                return True
        if names[0] in found:
            return len(names) == 1 or not isinstance(node, ast.ClassDef) or _in_class(node, names)
    return False


def _in_class(node: ast.ClassDef, names: list[str]) -> bool:
    """Methods and fields, what a method sets on ``self``, and what a base may bring."""
    inside = {a.attr for a in ast.walk(node) if isinstance(a, ast.Attribute) and isinstance(a.ctx, ast.Store)}
    return holds(node, names[1:]) or names[1] in inside or bool(node.bases)
