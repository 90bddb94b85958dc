"""The pages of the documentation site that are not in docs/: README.md, CHANGELOG.md, CONTRIBUTING.md,
and one page of API reference a room, of its docstrings.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import griffe
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
# A file of the repository, and the page it becomes.
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changes.md",
    "CONTRIBUTING.md": "contributing.md",
    "docs/README.md": "pages.md",
}


def on_config(config: Any) -> Any:
    """The reference's pages go into the navigation."""
    config["nav"].append({"API": ["reference/index.md", *(f"reference/{name}.md" for name in rooms())]})
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the pages; docs/README.md makes room for the repository's."""
    for file in [each for each in files if each.src_uri == "README.md"]:
        files.remove(file)
    for source, page in PAGES.items():
        content = relinked(source, (ROOT / source).read_text())
        files.append(File.generated(config, page, content=content))
    lines = ["# API reference", "", "From the docstrings, one page a room.", ""]
    for room in rooms():
        page = f"# {room}\n\n::: geco.{room}\n"
        files.append(File.generated(config, f"reference/{room}.md", content=page))
        lines.append(f"- [{room}]({room}.md)")
    files.append(File.generated(config, "reference/index.md", content="\n".join(lines)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links from docs/ to files that became pages; those of the pages made here are right already."""
    if page.file.generated_by:
        return markdown
    return relinked(f"docs/{page.file.src_uri}", markdown)


def rooms() -> list[str]:
    """The package's folders and files with a public face; the command line has a page of its own."""
    paths = [*(ROOT / "src" / "geco").glob("*.py"), *(ROOT / "src" / "geco").glob("*/__init__.py")]
    names = {path.parent.name if path.stem == "__init__" else path.stem for path in paths}
    return sorted(names - {"geco", "cli", "version"})


def relinked(source: str, text: str) -> str:
    """Links of the file ``source``, as they must be on the site, where all pages lie in one folder."""

    def there(found: re.Match[str]) -> str:
        target, anchor = found.group(1), found.group(2) or ""
        path = (ROOT / source).parent.joinpath(target).resolve()
        if not path.is_relative_to(ROOT):
            return found.group()
        inside = path.relative_to(ROOT).as_posix()
        return f"]({PAGES.get(inside, inside.removeprefix('docs/'))}{anchor})"

    return re.sub(r"\]\((?!\w+:|#)([^)#\s]+)(#[^)\s]*)?\)", there, text)


class Roles(griffe.Extension):
    """Names in Sphinx's roles (``:func:`x` ``) as plain code."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Of every object that has a docstring."""
        if obj.docstring:
            obj.docstring.value = re.sub(r":\w+:`[!~]?([^`]+)`", r"`\1`", obj.docstring.value)
