"""Broken exported models: an error that names the file and the remedy."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from geco.errors import WeightsError
from geco.onnx_runtime.card import CARD, exported_card, read_card
from geco.onnx_runtime.networks import SmallGenerator, SmallReconstructor
from geco.onnx_runtime.session import MOST_THREADS, own_threads, physical_cores
from geco.pipeline import EMBEDDED


def rewrite(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


def damage(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: (f / "shape.onnx").unlink(), "shape.onnx is missing"),
        (lambda f: rewrite(f / "shape.onnx", lambda d: d[:-10]), "shape.onnx is truncated"),
        (lambda f: rewrite(f / "shape.onnx", lambda d: d + b"x"), "shape.onnx is too long"),
        (lambda f: rewrite(f / "shape.onnx", damage), "shape.onnx is damaged"),
        (lambda f: (f / CARD).unlink(), f"{CARD} does not exist"),
        (lambda f: rewrite(f / CARD, lambda d: d[:-20]), f"{CARD} is not readable JSON"),
        (lambda f: (f / CARD).write_text("[]"), f"{CARD} holds a list"),
        (lambda f: (f / CARD).write_text("{}"), f"{CARD} does not describe"),
    ],
)
def test_what_is_wrong_is_named(
    exported: Path, tmp_path: Path, change: Callable[[Path], None], message: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(exported, folder)
    change(folder)
    with pytest.raises(WeightsError, match=message) as caught:
        SmallReconstructor(folder)
    assert caught.value.remedy


def test_a_graph_that_is_none_is_a_weights_error(exported: Path, tmp_path: Path) -> None:
    import hashlib

    folder = tmp_path / "model"
    shutil.copytree(exported, folder)
    junk = b"this is no graph" * 10
    (folder / "color.onnx").write_bytes(junk)
    card = read_card(folder)
    card["files"]["color.onnx"] = {"bytes": len(junk), "sha256": hashlib.sha256(junk).hexdigest()}
    (folder / CARD).write_text(json.dumps(card))
    with pytest.raises(WeightsError, match="cannot load"):
        SmallReconstructor(folder)


def test_threads_are_at_least_one_and_no_more_than_change_nothing() -> None:
    assert physical_cores() >= 1
    assert 1 <= own_threads() <= MOST_THREADS


def test_the_embedded_models_numbers_do_not_depend_on_the_number_of_threads() -> None:
    rng = np.random.default_rng(0)
    size = exported_card(EMBEDDED).view_size
    picture, points = rng.random((size, size, 3), np.float32), rng.random((500, 3), np.float32) * 2 - 1
    seen = []
    for threads in (1, MOST_THREADS):  # all between were measured once; they cost seconds on a busy machine
        views = SmallGenerator(EMBEDDED, threads=threads).generate(picture, [0])[0]
        fields = SmallReconstructor(EMBEDDED, threads=threads).reconstruct(views, picture)
        seen.append([views, fields.dense(16), fields.color(points)])
    for other in seen[1:]:
        for one, two in zip(seen[0], other):
            np.testing.assert_array_equal(one, two)


def test_half_of_the_weights_bytes_are_saved(exported: Path) -> None:
    card = read_card(exported)
    network = sum(card["files"][f"{name}.onnx"]["bytes"] for name in ("condition", "generate"))
    assert network < 2 * 3 * card["parameters"]["multiview"] + 200_000
