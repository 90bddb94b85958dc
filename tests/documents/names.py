"""Paths and names that a page mentions in code spans and blocks, and its links."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.documents.commands import known_options, of_extras, of_options
from tests.documents.page import Page, read_page
from tests.documents.paths import SOURCE_FILE, STARTS, of_path
from tests.documents.source import ROOT, has_member, holds, resolves, tree_of, words_of_code

DOTTED = re.compile(r"(geco|benchmarks|tests)(\.\w+)+")
# `cli/run.py: run` and `noise.py: stream, Noise`: names in a file.
IN_FILE = re.compile(r"([\w/]+\.py): (\w[\w.]*(?:, \w[\w.]*)*)")
MEMBER = re.compile(r"[A-Z][A-Za-z0-9]+(\.\w+)+")
NAME = re.compile(r"_?[a-z][a-z0-9]*(_[a-z]+)+|[A-Z][a-z0-9]+([A-Z][a-z0-9]*)+")


def of_words(span: str, page: Page) -> Iterator[str]:
    yield from of_extras(span)
    yield from of_options(span.split(), known_options())
    if in_file := IN_FILE.fullmatch(span):
        yield from _of_file(in_file.group(1), in_file.group(2), page)
        return
    for word in span.split():
        bare = re.sub(r"\(.*", "", word).strip(",;:")
        if DOTTED.fullmatch(bare) and not SOURCE_FILE.fullmatch(bare):
            if not resolves(bare):
                yield f"`{span}`: no module or name {bare}"
        elif MEMBER.fullmatch(bare) and "/" not in bare:
            if not has_member(bare):
                yield f"`{span}`: no name {bare}"
        elif "/" in bare or SOURCE_FILE.fullmatch(bare):
            yield from of_path(bare, page)
        elif NAME.fullmatch(bare) and bare not in words_of_code():
            yield f"`{span}`: {bare} stands nowhere in the code"


def _of_file(name: str, members: str, page: Page) -> Iterator[str]:
    yield from of_path(name, page)
    for path in [found for start in STARTS if (found := ROOT / start / name).exists()]:
        for member in members.split(", "):
            # A name alone may be a method's.
            inside = re.search(rf"\b(def|class) {member}\b", path.read_text())
            if not inside and not holds(tree_of(path), member.split(".")):
                yield f"`{name}: {members}`: no {member} there"


def of_python(block: str) -> Iterator[str]:
    """The imports of a Python block, name by name."""
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "geco":
            for alias in node.names:
                if not resolves(f"{node.module}.{alias.name}"):
                    yield f"`from {node.module} import {alias.name}`: not there"


def of_links(page: Page) -> Iterator[str]:
    for target in page.links:
        name, _, anchor = target.partition("#")
        path = page.path.parent / name
        if not path.exists():
            yield f"link {target}: no such file"
            continue
        there = read_page(path) if name.endswith(".md") else page
        if anchor and anchor not in there.headings:
            yield f"link {target}: no such heading"
