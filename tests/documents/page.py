"""A page of the documentation, taken apart."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path


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
    prose: list[str] = []
    blocks: list[tuple[str, str]] = []
    open_block: list[str] | None = None
    language = ""
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
