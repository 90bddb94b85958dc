"""The page that names the objects behind the embedded weights: ``python -m benchmarks.training_objects
OBJECTS...``.

Reads the ``manifest.json`` of each folder of objects and writes docs/training-objects.md, and the same text
as ``OBJECTS.md`` beside the embedded weights, for those who have the package alone. Whatever asks for
attribution is named with its author, licence and source.
"""

from __future__ import annotations

import argparse
import json
import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from geco.files import atomic_write
from geco.loading import EMBEDDED

ROOT = Path(__file__).parents[1]
PLACES = (ROOT / "docs" / "training-objects.md", EMBEDDED / "OBJECTS.md")
WIDTH = 100
FREE = ("CC0-1.0", "MIT-0")  # ask for no attribution
LICENCES = {
    "Apache-2.0": "https://www.apache.org/licenses/LICENSE-2.0",
    "CC-BY-3.0": "https://creativecommons.org/licenses/by/3.0/",
    "CC-BY-3.0-US": "https://creativecommons.org/licenses/by/3.0/us/",
    "CC-BY-4.0": "https://creativecommons.org/licenses/by/4.0/",
    "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "MIT": "https://opensource.org/license/mit",
    "MIT-0": "https://opensource.org/license/mit-0",
}
Object = Mapping[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", help="folders of objects with manifest.json")
    folders = parser.parse_args().folders
    objects = [each for folder in folders for each in read(folder)]
    text = page(objects)
    for place in PLACES:
        atomic_write(place, text.encode())
    print(f"{len(objects)} objects, {len(text):,} characters")


def read(folder: Path) -> list[Object]:
    """Raises KeyError where a licence is none of :data:`LICENCES`."""
    found: list[Object] = json.loads((folder / "manifest.json").read_text())["objects"]
    for each in found:
        LICENCES[each["licence"]]
    return found


def page(objects: Sequence[Object]) -> str:
    """The page in Markdown."""
    kinds = Counter(each["licence"] for each in objects)
    licences = ", ".join(f"[{name}]({LICENCES[name]}) {kinds[name]:,}" for name in LICENCES if kinds[name])
    head = f"""# The objects behind the embedded weights

{len(objects):,} objects with open licences, as found in the repositories named. Geometry, colours and
textures were changed: converted to GLB, textures reduced to at most 512 px, many meshes decimated.
Which of them taught the embedded weights, and that some did not: [the embedded model](embedded-model.md).

- Objects by licence: {licences}.
- Sixty of them (`runs/held_out.txt`) are held out of every training; none of the 30 evaluation objects
  was in it.
- Licences that ask for attribution are honoured by this page, which lies beside the weights in the
  package too (`OBJECTS.md`). `python -m benchmarks.training_objects OBJECTS...` writes it.
"""
    parts = [wrapped(head), packs(objects), named([each for each in objects if not each.get("origin")])]
    return "\n".join([*parts, single([each for each in objects if each.get("origin")])])


def packs(objects: Iterable[Object]) -> str:
    """A table of the packs, the largest first."""
    found: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for each in objects:
        if not each.get("origin"):
            found[each["pack"], each["licence"], each["source_repo"]].append(each["author"])
    lines = ["## Packs", "", "| pack | objects | licence | author | source |", "|---|---|---|---|---|"]
    for (pack, licence, source), authors in sorted(found.items(), key=lambda row: (-len(row[1]), row[0])):
        many = Counter(authors)
        who = "; ".join(f"{name} ({count})" if count > 1 else name for name, count in sorted(many.items()))
        who = authors[0] if len(many) == 1 else who
        lines.append(f"| {cell(pack)} | {len(authors)} | {licence} | {cell(who)} | {cell(source)} |")
    return "\n".join(lines) + "\n"


def named(objects: Iterable[Object]) -> str:
    """Names of the objects of packs whose licence asks for attribution, by author."""
    found: dict[tuple[str, str, str, str], list[str]] = defaultdict(list)
    for each in objects:
        if each["licence"] not in FREE:
            key = (each["pack"], each["licence"], each["author"], each["source_repo"])
            found[key].append(str(each["name"]).replace("_", " "))
    lines = ["## Objects of packs that ask for attribution", ""]
    for (pack, licence, author, source), names in sorted(found.items()):
        text = f"- **{pack}** ({licence}, {author}; {source}): {', '.join(sorted(names))}"
        lines += textwrap.wrap(plain(text), WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    return "\n".join(lines) + "\n"


def single(objects: Sequence[Object]) -> str:
    """A table of the objects that come from a page of their own."""
    if not objects:
        return ""
    lines = [
        "## Objects that were published one by one",
        "",
        "Title, author, licence and source are those that the file itself states.",
        "",
        "| title | author | licence | source | found in |",
        "|---|---|---|---|---|",
    ]
    for each in sorted(objects, key=lambda row: (row["author"].lower(), row["name"].lower())):
        row = (each["name"], each["author"], each["licence"], f"<{each['origin']}>", each["source_repo"])
        lines.append(f"| {' | '.join(cell(value) for value in row)} |")
    return "\n".join(lines) + "\n"


def wrapped(text: str) -> str:
    """Every paragraph and item in lines of :data:`WIDTH`."""
    lines: list[str] = []
    for block in text.split("\n\n"):
        items = [" ".join(item.split()) for item in ("\n" + block).split("\n- ")]
        for number, item in enumerate(items):
            if item:
                bullet = "- " if number else ""
                lines += textwrap.wrap(
                    bullet + item,
                    WIDTH,
                    subsequent_indent="  " if number else "",
                    break_long_words=False,
                    break_on_hyphens=False,
                )
        lines.append("")
    return "\n".join(lines)


def cell(text: str) -> str:
    """Of a table."""
    return plain(text).replace("|", "\\|")


def plain(text: str) -> str:
    """Nothing in a name is read as Markdown."""
    for sign in "`[]":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())


if __name__ == "__main__":
    main()
