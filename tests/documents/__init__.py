"""What a page of the documentation mentions, and whether it exists.

Checked, in code spans and in fenced blocks: files and folders of the repository; modules, classes,
functions and attributes by their dotted names; ``python -m`` modules; ``geco`` commands and their
options, against the parser itself; other options, against the scripts' own; extras of the package;
every other name in CamelCase or snake_case, which must stand somewhere in the code. In the prose:
relative links and their anchors.

Not checked: names of a user's own files (photo.png, RUN, OBJECTS), numbers, and what a sentence says.
"""

from __future__ import annotations

from tests.documents.commands import commands_of, is_command, lines_of, of_command, parse_whole
from tests.documents.names import of_links, of_python, of_words
from tests.documents.page import Page, read_page
from tests.documents.source import ROOT, resolves

__all__ = ["ROOT", "Page", "commands_of", "parse_whole", "problems", "read_page", "resolves"]


def problems(page: Page) -> list[str]:
    """All that ``page`` names and that is not there."""
    found: list[str] = []
    for span in page.spans:
        found += of_command(span) if is_command(span) else of_words(span, page)
    for language, content in page.blocks:
        if language == "python":
            found += of_python(content)
        elif language in ("sh", "bash", "", "text"):
            for line in lines_of(content):
                found += of_command(line) if is_command(line) else []
    return sorted({*found, *of_links(page)})
