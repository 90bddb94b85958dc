"""Broken exported models: an error that names the file and the remedy."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geco.cores import physical_cores
from geco.errors import WeightsError
from geco.loading import EMBEDDED
from geco.model_files.card import CARD, ONNX
from geco.onnx_runtime.card import ExportedModel
from geco.onnx_runtime.networks import SmallGenerator, SmallReconstructor
from geco.onnx_runtime.session import MOST_THREADS, own_threads
from tests.damage import signed


def rewrite(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


def damage(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def forms(folder: Path, **changes: Any) -> None:
    """Other forms for the graph of the reconstructor's shape."""
    card = json.loads((folder / CARD).read_text())
    card["forms"]["shape"].update(changes)
    (folder / CARD).write_text(json.dumps(card))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: (f / "shape.onnx").unlink(), "shape.onnx is missing"),
        (lambda f: rewrite(f / "shape.onnx", lambda d: d[:-10]), "shape.onnx is truncated"),
        (lambda f: rewrite(f / "shape.onnx", lambda d: d + b"x"), "shape.onnx is too long"),
        (lambda f: rewrite(f / "shape.onnx", damage), "shape.onnx is damaged"),
        (lambda f: signed(f, "color.onnx", b"this is no graph" * 10), "cannot load .*color.onnx"),
        (lambda f: (f / CARD).unlink(), f"it has no {CARD}"),
        (lambda f: rewrite(f / CARD, lambda d: d[:-20]), f"{CARD} is not readable JSON"),
        (lambda f: (f / CARD).write_text("[]"), f"{CARD} holds a list"),
        (lambda f: (f / CARD).write_text("{}"), f"{CARD} describes '', not 'geco-onnx-3'"),
        (lambda f: forms(f, nothing={"order": [0]}), "that are not there: 'nothing'"),
        (lambda f: forms(f, **{"field.shape_in.weight": {"order": [0, 2]}}), "no order of axes"),
        (lambda f: forms(f, **{"field.shape_in.weight": {"order": [0, 1, 2]}}), "that it does not have"),
        (lambda f: forms(f, **{"field.shape_in.weight": {"shape": [3]}}), "that it does not have"),
        (
            lambda f: forms(f, **{"field.shape_in.weight": {"order": [1, 0]}}),
            "wants 'field.shape_in.weight' as",
        ),
        (lambda f: forms(f, **{"field.shape_in.weight": {"file": "../x"}}), "'file' that this version"),
        (lambda f: forms(f, **{"field.shape_in.weight": [0]}), "no object with fields"),
    ],
)
def test_what_is_wrong_is_named(
    exported: Path, tmp_path: Path, change: Callable[[Path], None], message: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(exported, folder)
    change(folder / ONNX)
    with pytest.raises(WeightsError, match=message) as caught:
        SmallReconstructor(ExportedModel(folder))
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("half", "file"), [("multiview", "network"), ("reconstructor", "model")], ids=["views", "surface"]
)
def test_one_turned_bit_of_the_weights_is_found(exported: Path, tmp_path: Path, half: str, file: str) -> None:
    shutil.copytree(exported, tmp_path / "m")
    rewrite(tmp_path / "m" / half / f"{file}.safetensors", damage)
    with pytest.raises(WeightsError, match=f"{file}.safetensors is damaged: its SHA-256"):
        model = ExportedModel(tmp_path / "m")
        SmallGenerator(model)
        SmallReconstructor(model)


def test_threads_are_at_least_one_and_no_more_than_change_nothing() -> None:
    assert physical_cores() >= 1
    assert 1 <= own_threads() <= MOST_THREADS


def test_the_embedded_models_numbers_do_not_depend_on_the_number_of_threads() -> None:
    rng = np.random.default_rng(0)
    size = ExportedModel(EMBEDDED).views.size
    picture, points = rng.random((size, size, 3), np.float32), rng.random((500, 3), np.float32) * 2 - 1
    seen = []
    for threads in (1, MOST_THREADS):  # all between were measured once; they cost seconds on a busy machine
        model = ExportedModel(EMBEDDED, threads)
        views = SmallGenerator(model).generate(picture, [0])[0]
        fields = SmallReconstructor(model).reconstruct(views, picture)
        seen.append([views, fields.dense(16), fields.color(points)])
    for other in seen[1:]:
        for one, two in zip(seen[0], other):
            np.testing.assert_array_equal(one, two)
