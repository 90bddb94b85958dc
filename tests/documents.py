"""What a page of the documentation mentions, and whether it exists.

Checked, in code spans and in fenced blocks: files and folders of the repository; modules, classes,
functions and attributes by their dotted names; ``python -m`` modules; ``geco`` commands and their
options, against the parser itself; other options, against the scripts' own; extras of the package;
every other name in CamelCase or snake_case, which must stand somewhere in the code. In the prose:
relative links and their anchors.

Not checked: names of a user's own files (photo.png, RUN, OBJECTS), numbers, and what a sentence says.
"""

from __future__ import annotations

import argparse
import ast
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from geco.cli.main import parser

ROOT = Path(__file__).parent.parent
# Ours, so that whatever a page names below them must be there.
TOP = ("src", "tests", "docs", "benchmarks", "runs", "models", "examples", ".ci")
# Where a page's short paths (`training/vsd.py`, `mesh/`) may begin.
STARTS = ("", "src", "src/geco", "src/geco/data", "docs")
# Folders that a user has, or that a command makes; the rest of `name/` are rooms of ours.
EXAMPLE_FOLDERS = {"objects", "shards", "pictures", "run", "report", "eval", "packed", "out", "site"} | {
    *("meshes", "multiview", "reconstructor", "held_out"),  # in what a command wrote
}
# Files of other projects, and files that a command writes.
FOREIGN_FILES = {"blender_script.py", "eval_mesh.py", "tables.md"}
# Options of other people's programs that the pages name.
FOREIGN_OPTIONS = {"--extra-index-url", "--nproc_per_node", "--cpu", "--strict"}
PATH = re.compile(r"[\w.*{},-]+(/[\w.*{},-]+)*/?")
SOURCE_FILE = re.compile(r"[\w./*-]+\.(py|sh|md|toml)")
DOTTED = re.compile(r"(geco|benchmarks|tests)(\.\w+)+")
# `cli/run.py: run` and `noise.py: stream, Noise`: names in a file.
IN_FILE = re.compile(r"([\w/]+\.py): (\w[\w.]*(?:, \w[\w.]*)*)")
MEMBER = re.compile(r"[A-Z][A-Za-z0-9]+(\.\w+)+")
NAME = re.compile(r"_?[a-z][a-z0-9]*(_[a-z]+)+|[A-Z][a-z0-9]+([A-Z][a-z0-9]*)+")


@dataclass(frozen=True)
class Page:
    """A page's text, taken apart."""

    path: Path
    prose: tuple[str, ...]  # the lines outside fenced blocks; inside, empty strings, so that numbers agree
    blocks: tuple[tuple[str, str], ...]  # (language, content)

    @property
    def spans(self) -> list[str]:
        """What stands between backticks; one span may run over two lines."""
        return [" ".join(s.split()) for s in re.findall(r"(?<!`)`([^`]+)`(?!`)", "\n".join(self.prose))]

    @property
    def links(self) -> list[str]:
        """Targets of links and pictures that are not on the net."""
        text = re.sub(r"(?<!`)`[^`]+`(?!`)", "", "\n".join(self.prose))
        found = [*re.findall(r"\]\(([^)\s]+)\)", text), *re.findall(r'(?:src|srcset|href)="([^"]+)"', text)]
        return [target for target in found if not re.match(r"https?:|mailto:", target)]

    @property
    def headings(self) -> set[str]:
        """The anchors that GitHub and the documentation site give the headings."""
        titles = [line.lstrip("#").strip() for line in self.prose if re.match(r"#+ ", line)]
        return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def read_page(path: Path, text: str | None = None) -> Page:
    """The page at ``path``; ``text`` is read in its place, where given."""
    prose, blocks, open_block, language = [], [], None, ""
    for line in (path.read_text() if text is None else text).splitlines():
        fence = re.match(r"\s*```(\w*)", line)
        if fence and open_block is None:
            open_block, language = [], fence.group(1)
        elif fence:
            blocks.append((language, "\n".join(open_block or [])))
            open_block = None
        elif open_block is not None:
            open_block.append(line)
        prose.append("" if fence or open_block is not None else line)
    return Page(path, tuple(prose), tuple(blocks))


def problems(page: Page) -> list[str]:
    """All that ``page`` names and that is not there."""
    found: list[str] = []
    for span in page.spans:
        found += _of_command(span) if _is_command(span) else _of_words(span, page)
    for language, content in page.blocks:
        if language == "python":
            found += _of_python(content)
        elif language in ("sh", "bash", "", "text"):
            for line in _lines(content):
                found += _of_command(line) if _is_command(line) else []
    return sorted({*found, *_of_links(page)})


# Commands.


def commands_of(page: Page) -> Iterator[str]:
    """The commands of a page's shell blocks, to be copied as they stand."""
    for language, content in page.blocks:
        if language in ("sh", "bash"):
            yield from (_without_variables(line) for line in _lines(content))


def _lines(block: str) -> Iterator[str]:
    """A block's commands: continued lines joined, comments dropped, pipes and `&&` taken apart."""
    for line in re.sub(r"(\\|&&)\n\s*", r" \1 ", block).replace("\\ ", "").splitlines():
        code = re.sub(r"(^|\s)#.*", "", line)
        yield from (part.strip() for part in re.split(r"\s(?:\||&&)\s", code) if part.strip())


def _is_command(text: str) -> bool:
    text = _without_variables(text)
    first = text.split()[0] if text.split() else ""
    return (
        Path(first).name in ("geco", "pip", "python", "python3", "torchrun") and " " in text
    ) or first.endswith(".sh")


def _without_variables(text: str) -> str:
    return re.sub(r"^(\w+=(\"[^\"]*\"|\S*)\s+)+", "", text)


def _of_command(text: str) -> Iterator[str]:
    words = _without_variables(text).split()
    program = Path(words[0]).name
    if program == "geco":
        yield from _of_geco(text)
    elif program.startswith("python") and "-m" in words:
        module = words[words.index("-m") + 1]
        if module.split(".")[0] in ("geco", "benchmarks", "tests") and not resolves(module):
            yield f"`{text}`: no module {module}"
        yield from _of_options(words, known_options())
    elif program == "pip":
        yield from _of_extras(text)
    else:
        yield from _of_paths(words[0])
        yield from _of_options(words, known_options())


def _of_geco(text: str) -> Iterator[str]:
    """The command's words, then its options."""
    words = [word.strip(",;") for word in text.split()[1:]]
    command: tuple[str, ...] = ()
    while words and (*command, words[0]) in commands():
        command = (*command, words.pop(0))
    inner = any(len(each) > len(command) and each[: len(command)] == command for each in commands())
    if inner and words and re.match(r"[a-z]", words[0]):
        yield f"`{text}`: no command geco {' '.join([*command, words[0]])}"
    else:
        yield from _of_options(words, commands()[command] | {"--debug"})


def parse_whole(line: str) -> str | None:
    """What the parser says against ``geco …`` taken word for word; None where it understands."""
    given = shlex.split(line)[1:]
    try:
        with_errors().parse_args(given)
    except (ValueError, SystemExit) as error:
        return f"`{line}`: {error}"
    return None


def with_errors() -> argparse.ArgumentParser:
    """The command line's parser, which raises ``ValueError`` instead of ending the process."""

    def fail(message: str) -> None:
        raise ValueError(message)

    top = parser()
    for each in _parsers(top).values():
        each.error = fail  # type: ignore[method-assign, assignment]
    return top


def _parsers(top: argparse.ArgumentParser) -> dict[tuple[str, ...], argparse.ArgumentParser]:
    found: dict[tuple[str, ...], argparse.ArgumentParser] = {(): top}
    for action in top._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                found |= {(name, *rest): each for rest, each in _parsers(inner).items()}
    return found


@lru_cache
def commands() -> dict[tuple[str, ...], frozenset[str]]:
    """Every command of ``geco``, as a tuple of words, with its options."""
    return {
        name: frozenset(option for action in each._actions for option in action.option_strings)
        for name, each in _parsers(parser()).items()
    }


@lru_cache
def known_options() -> frozenset[str]:
    """Every option of ``geco`` and of the scripts, and the foreign ones that are named."""
    scripts = frozenset(re.findall(r"[\"'\s(](--[a-z][\w-]*)", code()))
    return frozenset().union(*commands().values(), scripts, FOREIGN_OPTIONS)


def _of_options(words: list[str], known: frozenset[str]) -> Iterator[str]:
    for word in words:
        option = re.match(r"--[A-Za-z][\w-]*", word)
        if option and option.group() not in known:
            yield f"`{' '.join(words)}`: no option {option.group()}"


def _of_extras(text: str) -> Iterator[str]:
    declared = re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    for names in re.findall(r"(?:geco3d|\.)\[([\w,]+)\]", text):
        yield from (f"`{text}`: no extra {name}" for name in names.split(",") if name not in declared)


# Names and paths.


def _of_words(span: str, page: Page) -> Iterator[str]:
    yield from _of_extras(span)
    yield from _of_options(span.split(), known_options())
    if in_file := IN_FILE.fullmatch(span):
        yield from _of_file(*in_file.groups(), page)
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
            yield from _of_paths(bare, page)
        elif NAME.fullmatch(bare) and bare not in words_of_code():
            yield f"`{span}`: {bare} stands nowhere in the code"


def _of_file(name: str, members: str, page: Page) -> Iterator[str]:
    yield from _of_paths(name, page)
    for path in [found for start in STARTS if (found := ROOT / start / name).exists()]:
        for member in members.split(", "):
            # A name alone may be a method's.
            inside = re.search(rf"\b(def|class) {member}\b", path.read_text())
            if not inside and not _holds(tree_of(path), member.split(".")):
                yield f"`{name}: {members}`: no {member} there"


def _of_paths(word: str, page: Page | None = None) -> Iterator[str]:
    """Of a word that may be a path: the problem, where it names something of ours that is not there."""
    name, _, member = word.removeprefix("./").partition("::")
    if not PATH.fullmatch(name) or name.startswith("..") or re.search(r"[A-Z]{3,}/|^/", name):
        return
    first = name.split("/")[0]
    if name in FOREIGN_FILES:
        return
    room = re.fullmatch(r"[a-z_]+(/[a-z_]+)*/", name) and first not in EXAMPLE_FOLDERS
    if first not in (*TOP, "geco") and not SOURCE_FILE.fullmatch(name) and not room:
        return
    starts = [ROOT / start for start in STARTS] + ([page.path.parent] if page else [])
    files = [found for start in starts for each in _braces(name) for found in start.glob(each.rstrip("/"))]
    if not files and SOURCE_FILE.fullmatch(name):
        files = [path for path in tracked() if path.as_posix().endswith("/" + name)]
    if not files:
        yield f"`{word}`: no such file or folder"
    elif member and not any(f"def {member}(" in path.read_text() for path in files):
        yield f"`{word}`: no {member} there"


def _braces(name: str) -> list[str]:
    """``a.{b,c}`` as two names."""
    inside = re.search(r"\{([^}]*)\}", name)
    if not inside:
        return [name]
    return [name[: inside.start()] + each + name[inside.end() :] for each in inside.group(1).split(",")]


def _of_python(block: str) -> Iterator[str]:
    """The imports of a Python block, name by name."""
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "geco":
            for alias in node.names:
                if not resolves(f"{node.module}.{alias.name}"):
                    yield f"`from {node.module} import {alias.name}`: not there"


def _of_links(page: Page) -> Iterator[str]:
    for target in page.links:
        name, _, anchor = target.partition("#")
        path = page.path.parent / name
        if not path.exists():
            yield f"link {target}: no such file"
            continue
        there = read_page(path) if name.endswith(".md") else page
        if anchor and anchor not in there.headings:
            yield f"link {target}: no such heading"


# The code.


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
    mine = ("documents.py", "test_documents.py")
    files = [path for path in tracked() if path.suffix in kinds and path.name not in mine]
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
            return not parts[cut:] or _holds(tree_of(file), parts[cut:])
    return False


def has_member(dotted: str) -> bool:
    """Whether a class of ours by that name has the attribute; a class that is not ours is not asked."""
    owner, *rest = dotted.split(".")
    files = [path for path in tracked() if path.suffix == ".py" and f"class {owner}" in path.read_text()]
    return not files or any(_holds(tree_of(path), [owner, *rest]) for path in files)


def _holds(scope: ast.AST, names: list[str]) -> bool:
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
            if isinstance(node, (ast.If, ast.Try)) and _holds(node, names):
                return True
        if names[0] in found:
            return len(names) == 1 or not isinstance(node, ast.ClassDef) or _in_class(node, names)
    return False


def _in_class(node: ast.ClassDef, names: list[str]) -> bool:
    """Methods and fields, what a method sets on ``self``, and what a base may bring."""
    inside = {a.attr for a in ast.walk(node) if isinstance(a, ast.Attribute) and isinstance(a.ctx, ast.Store)}
    return _holds(node, names[1:]) or names[1] in inside or bool(node.bases)
