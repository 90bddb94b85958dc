"""Commands that a page names: of ``geco``, against the parser itself, and of our scripts."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from geco.choices import sort
from geco.cli import choice_options
from geco.cli.main import parser
from geco.errors import GecoError
from tests.documents.page import Page
from tests.documents.paths import of_path
from tests.documents.source import ROOT, code, resolves

# Options of other people's programs that the pages name.
FOREIGN_OPTIONS = {"--extra-index-url", "--cpu", "--multi_gpu", "--strict"} | {
    "--nnodes",
    "--nproc_per_node",
    "--max-restarts",
    "--rdzv_backend",
    "--rdzv_endpoint",
    "--rdzv_id",
}


def commands_of(page: Page) -> Iterator[str]:
    """The commands of a page's shell blocks, to be copied as they stand."""
    for language, content in page.blocks:
        if language in ("sh", "bash"):
            yield from (_without_variables(line) for line in lines_of(content))


def lines_of(block: str) -> Iterator[str]:
    """A block's commands: continued lines joined, comments dropped, pipes and `&&` taken apart."""
    for line in re.sub(r"(\\|&&)\n\s*", r" \1 ", block).replace("\\ ", "").splitlines():
        code = re.sub(r"(^|\s)#.*", "", line)
        yield from (part.strip() for part in re.split(r"\s(?:\||&&)\s", code) if part.strip())


def is_command(text: str) -> bool:
    text = _without_variables(text)
    first = text.split()[0] if text.split() else ""
    return (
        Path(first).name in ("geco", "pip", "python", "python3", "torchrun") and " " in text
    ) or first.endswith(".sh")


def _without_variables(text: str) -> str:
    return re.sub(r"^(\w+=(\"[^\"]*\"|\S*)\s+)+", "", text)


def of_command(text: str) -> Iterator[str]:
    words = _without_variables(text).split()
    program = Path(words[0]).name
    if program == "geco":
        yield from _of_geco(text)
    elif program.startswith("python") and "-m" in words:
        module = words[words.index("-m") + 1]
        if module.split(".")[0] in ("geco", "benchmarks", "blender", "tests") and not resolves(module):
            yield f"`{text}`: no module {module}"
        yield from of_options(words, known_options())
    elif program == "pip":
        yield from of_extras(text)
    else:
        yield from of_path(words[0])
        yield from of_options(words, known_options())


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
        yield from of_options(words, commands()[command] | {"--debug"})


def parse_whole(line: str) -> str | None:
    """What the parser, or a look at choices that do not go together, says against ``geco …`` taken word for
    word; None where it would be done.
    """
    given = shlex.split(line)[1:]
    try:
        options = with_errors().parse_args(given)
        if given[0] == "run":
            sort(choice_options.values(options))
    except (ValueError, SystemExit, GecoError) as error:
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


def of_options(words: list[str], known: frozenset[str]) -> Iterator[str]:
    for word in words:
        option = re.match(r"--[A-Za-z][\w-]*", word)
        if option and option.group() not in known:
            yield f"`{' '.join(words)}`: no option {option.group()}"


def of_extras(text: str) -> Iterator[str]:
    declared = re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    for names in re.findall(r"(?:geco3d|\.)\[([\w,]+)\]", text):
        yield from (f"`{text}`: no extra {name}" for name in names.split(",") if name not in declared)
