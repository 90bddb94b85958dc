"""The documents keep their word: what they mention exists, every page is in the index and every link
leads somewhere; and whoever is new finds what is asked most, in one guess.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import documents
from tests.documents import ROOT, Page, read_page
from tests.test_architecture import FLOORS

README = ROOT / "README.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
INDEX = ROOT / "docs" / "README.md"
PAGES = [README, CONTRIBUTING, *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_all_that_a_page_mentions_exists(path: Path) -> None:
    assert not documents.problems(read_page(path))


@pytest.mark.parametrize("path", [README, CONTRIBUTING], ids=lambda path: path.name)
def test_the_commands_to_copy_are_understood_word_for_word(path: Path) -> None:
    lines = [line for line in documents.commands_of(read_page(path)) if line.split()[0].endswith("geco")]
    assert [documents.parse_whole(line) for line in lines] == [None] * len(lines)


def test_a_run_whose_choices_do_not_go_together_is_no_command_to_copy() -> None:
    assert "Leave faces out" in str(documents.parse_whole("geco run a.png --faces 2000 --lods 1000,300"))
    assert documents.parse_whole("geco run a.png --lods 1000,300") is None


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_run_that_a_page_shows_would_be_done(path: Path) -> None:
    lines = [line for line in documents.commands_of(read_page(path)) if line.startswith("geco run ")]
    assert [documents.parse_whole(line) for line in lines] == [None] * len(lines)


def test_the_readme_has_commands_to_copy() -> None:
    assert len(list(documents.commands_of(read_page(README)))) > 10


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("`src/geco/losses.py` holds it", "no such file"),
        ("in `training/vsd2.py`", "no such file"),
        ("the room `lossy/` is", "no such file"),
        ("`tests/test_documents.py::test_nothing`", "no test_nothing there"),
        ("`training/vsd.py: vsd_gradient, nothing`", "no nothing there"),
        ("`pipeline.py: GecoPipeline.nothing`", "no GecoPipeline.nothing there"),
        ("`geco.training.vsd.nothing`", "no module or name"),
        ("`geco.no_such_room`", "no module or name"),
        ("`GecoPipeline.from_nowhere`", "no name"),
        ("`python -m geco.training.nowhere --steps 3`", "no module"),
        ("`geco rum photo.png`", "no command"),
        ("`geco data labels`", "no command"),
        ("`geco run photo.png --sample 4`", "no option"),
        ("`--no-such-option`", "no option"),
        ("`pip install 'geco3d[videos]'`", "no extra"),
        ("`surface_of_nothing(views)`", "stands nowhere"),
        ("`GecoPipelines`", "stands nowhere"),
        ("[a page](docs/no-page.md)", "no such file"),
        ("[a heading](#no-such-heading)", "no such heading"),
        ('<img src="docs/no-picture.svg">', "no such file"),
        ("```bash\ngeco run photo.png --wiew\n```", "no option"),
        ("```python\nfrom geco import GecoPipes\n```", "not there"),
    ],
)
def test_the_check_finds_what_is_not_there(text: str, problem: str) -> None:
    assert any(problem in found for found in documents.problems(read_page(README, text)))


@pytest.mark.parametrize(
    "text",
    [
        "`training/vsd.py`, `mesh/export/`, `tests/test_*.py`, `runs/`",
        "`geco.GecoPipeline`, `GecoPipeline.from_pretrained(MODEL)`, `geco.training.vsd`",
        "`training/vsd.py: vsd_gradient`, `pipeline.py: GecoPipeline, GecoPipeline.from_pretrained`",
        "`geco run photo.png -o out/`, `geco data render`, `geco`",
        "`photo.png`, `RUN/teacher`, `OBJECTS`, `objects/`, `0.3`",
        "# A heading\n\n[there](#a-heading), [elsewhere](https://example.org/x)",
    ],
)
def test_the_check_lets_pass_what_is_there_and_what_is_a_users_own(text: str) -> None:
    assert not documents.problems(read_page(README, text))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("geco run", "required"),
        ("geco run photo.png --samples many", "invalid"),
        ("geco distill stage9 -o run", "invalid choice"),
    ],
)
def test_a_command_that_would_be_refused_is_refused_here(line: str, said: str) -> None:
    assert said in (documents.parse_whole(line) or "")


def test_the_floors_are_drawn_as_they_are_kept() -> None:
    (diagram,) = [content for kind, content in read_page(CONTRIBUTING).blocks if kind == "text"]
    drawn = [set(re.split(r"\s{2,}", line)[0].split(", ")) for line in diagram.splitlines()]
    assert drawn == FLOORS[::-1]


def test_every_room_is_on_the_map() -> None:
    rows = [line.split("|")[1] for line in ARCHITECTURE.read_text().splitlines() if line.startswith("| `")]
    assert set().union(*FLOORS) == {room for row in rows for room in re.findall(r"`(\w+)`", row)}


# Pages and lines.


def test_every_page_is_in_the_index_once() -> None:
    named = [target for target in read_page(INDEX).links if target.endswith(".md")]
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert pages <= set(named) and len(named) == len(set(named))


def test_every_page_is_on_the_site() -> None:
    """The site itself is built by CI, with strict links."""
    nav = (ROOT / "mkdocs.yml").read_text().split("\nnav:")[1].split("\nplugins:")[0]
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    made = set(pages_of_the_site().values())
    assert sorted(re.findall(r"[\w-]+\.md", nav)) == sorted(pages | made)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_line_of_prose_fits_on_a_laptop(path: Path) -> None:
    assert not long_lines(read_page(path), 110)


def test_the_readme_is_two_screens_wrapped_at_100_columns() -> None:
    text = README.read_text()
    assert len(text.splitlines()) <= 120
    assert not long_lines(read_page(README), 100)
    assert max(map(len, "\n".join(content for _, content in read_page(README).blocks).splitlines())) <= 100


def long_lines(page: Page, columns: int) -> list[str]:
    """Lines of prose beyond ``columns``; rows of tables, and one link or one span alone, cannot be broken."""
    return [
        line
        for line in page.prose
        if len(line) > columns
        and not line.lstrip().startswith(("|", "<"))
        and not re.fullmatch(r"\W*(!?\[[^\]]*\]\([^)]*\)|`[^`]*`|https?://\S+)\W*", line)
    ]


def test_a_long_line_is_seen_and_a_table_is_not() -> None:
    text = f"{'word ' * 23}\n| {'cell ' * 30}|\n![picture]({'x' * 120})\n"
    assert len(long_lines(read_page(README, text), 110)) == 1


# One guess.


@dataclass(frozen=True)
class Guess:
    """What somebody new looks for, the words that a page says it with, and where it is."""

    question: str
    page: Path
    word: str
    file: str  # below src/geco
    name: str  # a class or a function there; "" for a folder


GUESSES = [
    Guess("VSD, the loss of Stage I", CONTRIBUTING, "VSD", "training/vsd.py", "vsd_gradient"),
    Guess("the torch rasteriser", CONTRIBUTING, "torch rasteriser", "render/rasterize_torch.py", "rasterize"),
    Guess("where a seed becomes noise", CONTRIBUTING, "seed becomes noise", "noise.py", "stream"),
    Guess("where a foreign checkpoint is adapted", CONTRIBUTING, "foreign checkpoint", "public_weights/", ""),
    Guess("where a pose comes from", CONTRIBUTING, "pose", "cameras.py", "orbit_poses"),
    Guess("how to add a format", CONTRIBUTING, "Add a format", "mesh/export/save.py", "encode"),
    Guess("how to add a stage", CONTRIBUTING, "Add a stage", "training/task.py", "Task"),
]


@pytest.mark.parametrize("guess", GUESSES, ids=lambda guess: guess.question)
def test_who_is_new_finds_it_in_one_guess(guess: Guess) -> None:
    assert answered(guess, guess.page.read_text())
    path = guess.file.removesuffix(".py").strip("/").replace("/", ".")
    assert documents.resolves(f"geco.{path}.{guess.name}" if guess.name else f"geco.{path}")


@pytest.mark.parametrize("guess", GUESSES, ids=lambda guess: guess.question)
def test_a_page_that_names_another_place_is_seen(guess: Guess) -> None:
    text = guess.page.read_text()
    assert not answered(guess, text.replace(f"`{guess.file}", "`elsewhere.py"))
    assert not answered(guess, text.replace(guess.word, "something"))


def answered(guess: Guess, text: str) -> bool:
    """Whether a row of a table, or a section, that has the word names the file and the name."""
    rows = [line for line in text.splitlines() if line.startswith("|")]
    places = [part for part in rows + re.split(r"\n(?=#+ )", text) if guess.word in part]
    return any(f"`{guess.file}" in place and f"`{guess.name}" in place for place in places)


def pages_of_the_site() -> dict[Path, str]:
    """Files of the repository that become pages, beside those of docs/: the site's hook lists them."""
    text = (ROOT / ".ci" / "site_pages.py").read_text()
    listed = re.search(r"^PAGES = (\{.*?\})", text, re.MULTILINE | re.DOTALL)
    assert listed is not None
    return {ROOT / name: page for name, page in re.findall(r'"([^"]+)": "([^"]+)"', listed.group(1))}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_page_that_is_linked_to_is_on_the_site(path: Path) -> None:
    targets = re.findall(r"\]\((?!\w+:|#)([^)#\s]+\.md)", path.read_text())
    linked = {(path.parent / target).resolve() for target in targets}
    assert {page for page in linked if page.parent != ROOT / "docs"} <= pages_of_the_site().keys()


def test_the_site_knows_its_pages() -> None:
    assert {README, CONTRIBUTING, INDEX, ROOT / "CHANGELOG.md"} == pages_of_the_site().keys()
