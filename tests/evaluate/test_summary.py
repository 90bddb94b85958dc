"""Numbers of the tables against numpy, and what a page may not do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geco.data.objects import ObjectSource
from geco.evaluate.page import page
from geco.evaluate.pictures import load_strip, save_strip, shown, strip_path, truth_path
from geco.evaluate.report import groups_of
from geco.evaluate.summary import spread, summarise
from geco.evaluate.tables import cell, markdown, tables
from tests.evaluate.build import ROWS, SETTINGS, row


def results(tmp_path: Path) -> dict[str, Any]:
    return {
        **summarise(tmp_path, ROWS, SETTINGS, {"a": "cat", "b": "dog"}),
        "versions": {"geco": "1"},
        "settings": {"seeds": 2, "size": 64, "protocol": "A"},
        "unavailable": {"lpips_vgg": "no file"},
        "machine": "test",
    }


def test_spread_is_numpy_s() -> None:
    values, seeds = [1.0, 4.0, None, 2.0, 9.0], [0, 0, 0, 1, 1]
    found = spread(values, seeds)
    known = np.array([1.0, 4.0, 2.0, 9.0])
    assert (
        found["mean"] == pytest.approx(known.mean())
        and found["std"] == pytest.approx(known.std(ddof=1))
        and found["n"] == 4
    )
    assert found["seed_std"] == pytest.approx(np.std([2.5, 5.5], ddof=1))
    assert spread([3.0], [0]) == {"mean": 3.0, "std": 0.0, "n": 1}
    assert spread([None, None]) == {"mean": None, "std": None, "n": 0}


def test_columns_in_the_order_of_the_call_with_counts(tmp_path: Path) -> None:
    found = summarise(tmp_path, ROWS, SETTINGS, {})
    assert list(found["methods"]) == ["geco", "geco+finish", "other"]
    geco = found["methods"]["geco"]
    assert geco["A"]["psnr"]["mean"] == pytest.approx(14.0) and geco["A"]["psnr"]["n"] == 4
    assert geco["A"]["psnr"]["seed_std"] == pytest.approx(np.std([15.0, 13.0], ddof=1))
    assert geco["memory"]["peak_mb"] == 11.0 and geco["seconds"]["mean"] == pytest.approx(1.5)
    assert found["methods"]["other"]["missing"] == 1 and "A" not in found["methods"]["other"]
    assert found["objects"] == ["a", "b"] and found["skipped"]["<i>c"]["reason"] == "broken"


def test_the_order_of_rows_does_not_matter(tmp_path: Path) -> None:
    assert summarise(tmp_path, ROWS[::-1], SETTINGS, {"a": "x", "b": "y"}) == summarise(
        tmp_path, ROWS, SETTINGS, {"a": "x", "b": "y"}
    )


def test_tables_say_what_is_not_there(tmp_path: Path) -> None:
    text = tables(results(tmp_path))
    line = next(line for line in text.splitlines() if line.startswith("| geco | 4 |"))
    assert "14.00 ± 1.41" in line and "no weights" in line and "0.1400 ± 0.0141" in line
    assert "other: 1 of 1 meshes are missing" in text and "<i>c: skipped, broken" in text
    assert cell(None, 2) == "–" and markdown(["a", "b"], [["x|y", "1"]]).splitlines()[2] == "| x\\|y | 1 |"


def test_the_page_escapes_names_and_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    save_strip(truth_path(tmp_path, "a", "A"), np.ones((6, 16, 16, 3), np.float32))
    sources = {
        key: ObjectSource(key, tmp_path / f"{key}.glb", tmp_path, author="<b>me</b>")
        for key in ("a", "b", "<i>c")
    }
    html = page(tmp_path, results(tmp_path), ROWS, sources)
    assert "<b>me" not in html and "<i>c" not in html and "<script>x" not in html
    assert (
        not re.search(r"""(src|href)=["']?(https?:|//)""", html)
        and "@import" not in html
        and "url(" not in html
    )
    assert html.count("<section") == 2
    # worst first: a's mean PSNR is 11, b's 17
    assert html.index('data-key="a"') < html.index('data-key="b"')
    for source in re.findall(r'<img[^>]*src="([^"]+)"', html):
        assert (tmp_path / source).is_file()


def test_groups_are_collections_or_else_categories(tmp_path: Path) -> None:
    def sources(*names: str) -> dict[str, ObjectSource]:
        return {
            name: ObjectSource(name, tmp_path / name, tmp_path, category=f"kind-{name[-1]}") for name in names
        }

    assert groups_of(sources("GSO__a", "YCB__b", "c")) == {"GSO__a": "GSO", "YCB__b": "YCB", "c": ""}
    assert groups_of(sources("a", "b")) == {"a": "kind-a", "b": "kind-b"}
    assert set(groups_of(sources("a", "xa")).values()) == {""}
    assert set(groups_of(sources(*(f"x{chr(97 + i)}" for i in range(14)))).values()) == {""}


def test_strips_come_back(tmp_path: Path) -> None:
    views = np.random.default_rng(0).random((6, 20, 20, 3)).astype(np.float32)
    path = strip_path(tmp_path, "a", "geco", 0, "views")
    save_strip(path, views)
    np.testing.assert_allclose(load_strip(path), views, atol=0.5 / 255 + 1e-6)
    assert shown(15) == [0, 2, 5, 7, 10, 12] and shown(6) == [0, 1, 2, 3, 4, 5]


def test_diversity_appears_with_a_second_seed(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for key, seed in (("a", 0), ("a", 1), ("b", 0)):
        save_strip(
            strip_path(tmp_path, key, "geco", seed, "views"), random.random((6, 32, 32, 3)).astype(np.float32)
        )
    rows = [row("geco", key, seed, 1.0, views={"psnr": 1.0}) for key, seed in (("a", 0), ("a", 1), ("b", 0))]
    found = summarise(tmp_path, rows, SETTINGS, {})["methods"]["geco"]["diversity"]
    assert found["far_rmse"]["n"] == 1
    # of two independent uniform pictures
    assert found["far_rmse"]["mean"] == pytest.approx(np.sqrt(1 / 6), rel=0.05)
    # the meshes' strips stand for themselves
    for seed in (0, 1):
        save_strip(strip_path(tmp_path, "a", "geco", seed, "A"), np.full((6, 32, 32, 3), 0.2 * seed))
    told = [{**each, "A": {"psnr": 1.0}} for each in rows]
    meshes = summarise(tmp_path, told, SETTINGS, {})["methods"]["geco"]["mesh_diversity"]
    assert meshes["input_rmse"]["mean"] == meshes["far_rmse"]["mean"] == pytest.approx(0.2, abs=1e-6)
    assert "diversity" not in summarise(tmp_path, rows[2:], SETTINGS, {})["methods"]["geco"]
