"""The page of the training objects: what asks for attribution is named, in the docs and in the package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from benchmarks.training_objects import LICENCES, PLACES, WIDTH, page, read


def an_object(name: str, **more: Any) -> dict[str, Any]:
    row = {"name": name, "pack": "Pack", "licence": "CC-BY-4.0", "author": "Ann", "source_repo": "ann/pack"}
    return row | more


def test_the_package_carries_the_page_of_the_docs() -> None:
    docs, package = (place.read_text() for place in PLACES)
    assert docs == package and len(docs) > 100_000
    for name in ("CC-BY-3.0-US", "Mike Judge", "sketchfab.com/3d-models/", "YCB Object and Model Set"):
        assert name in docs


def test_what_asks_for_attribution_is_named_with_author_licence_and_source() -> None:
    rows = [
        an_object("red_chair"),
        an_object("blue chair"),
        an_object("free chair", licence="CC0-1.0", author="Bob", source_repo="bob/pack"),
        an_object("a | b [c]", author="Eve", origin="https://example.org/chair", source_repo="eve/site"),
    ]
    text = page(rows)
    assert "4 objects" in text and "[CC-BY-4.0](https://creativecommons.org/licenses/by/4.0/) 3," in text
    assert "| Pack | 2 | CC-BY-4.0 | Ann | ann/pack |" in text and "| Bob | bob/pack |" in text
    assert "- **Pack** (CC-BY-4.0, Ann; ann/pack): blue chair, red chair\n" in text
    assert "free chair" not in text  # its pack is
    assert "| a \\| b \\[c\\] | Eve | CC-BY-4.0 | <https://example.org/chair> | eve/site |" in text
    assert all(len(line) <= WIDTH for line in text.splitlines() if not line.startswith("|"))


def test_several_authors_of_one_pack_are_told_apart() -> None:
    rows = [an_object(name, author=author) for name, author in (("a", "Ann"), ("b", "Bob"), ("c", "Bob"))]
    text = page(rows)
    assert "| Ann; Bob (2) |" in text
    assert "(CC-BY-4.0, Ann; ann/pack): a\n" in text and "(CC-BY-4.0, Bob; ann/pack): b, c\n" in text


def test_a_licence_that_nobody_looked_at_is_refused(tmp_path: Path) -> None:
    manifest = {"objects": [an_object("chair", licence="CC-BY-NC-4.0")]}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert "CC-BY-NC-4.0" not in LICENCES
    with pytest.raises(KeyError, match="CC-BY-NC"):
        read(tmp_path)
