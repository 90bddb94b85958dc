"""Cached latents: the same conditions, losses and weights as the encoders give, from a folder that survives
what kills its makers, and is refused where it does not fit.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from geco.cli.main import main
from geco.data.shards import HELD_OUT
from geco.errors import ConfigError, OutputError
from geco.locks import locked
from geco.model_files.card import MULTIVIEW
from geco.processes import Outcome
from geco.public_weights.zero123plus_folder import load_zero123plus
from geco.training.augment import USUAL
from geco.training.encode import Encoder, Encoding
from geco.training.encode_folder import BEGUN, LOCK, encode, folders_of
from geco.training.full_family import FULL, FullConditions
from geco.training.latent_codec import LatentCodec
from geco.training.latents import INDEX, Latents
from tests.data.dots import write_dots
from tests.training.build_full import full_room

CPU = torch.device("cpu")


class Here:
    """A pool of none but this process."""

    def __init__(self, model: Path) -> None:
        self.encoder, self.files = Encoder(model), 0

    def run(self, jobs: Iterable[tuple[str, Any]], seconds: float | None = None) -> Iterator[Outcome]:
        for key, job in jobs:
            self.encoder(job)
            self.files += 1
            yield Outcome(key)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The full family's, with two held-out objects and ``latents`` of the command."""
    folder = full_room(tmp_path_factory.mktemp("full"))
    write_dots(folder / "shards" / HELD_OUT, ["condition-2"], objects=4)
    shards, model = folder / "shards", folder / "init"
    given = ["data", "encode", shards, "--model", model, "-o", folder / "latents", "--file-pictures", "4"]
    assert main([*map(str, given), "--workers", "1"]) == 0
    return folder


def encoding(room: Path, numbers: Any = "float32") -> Encoding:
    return Encoding(room / "shards", room / "init", numbers, 4)


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def distill(room: Path, output: Path, *more: str | Path) -> None:
    given = ["distill", output.name.partition("-")[0], "--data", room / "shards", "--init", room / "init"]
    rest = ["-o", output, "--device", "cpu", "--recipe", room / "recipe.py", *more]
    assert main([str(value) for value in [*given, *rest]]) == 0


def losses(run: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [
        {k: v for k, v in line.items() if k not in ("elapsed", "samples_s", "training")} for line in lines
    ]


def test_conditions_are_the_encoders_to_the_last_bit(room: Path) -> None:
    views = FULL.load_views(room / "init", CPU)
    cached = FULL.load_views(room / "init", CPU, latents=room / "latents")
    assert isinstance(cached.codec, LatentCodec) and len(cached.codec.latents) == 8
    assert cached.codec.decoder.vision is None and cached.codec.decoder.vae.encoder is None
    for part in (room / "shards", room / "shards" / HELD_OUT):
        source = FULL.source(part, cached, 0, USUAL, CPU)
        pictures = source.conditions(1, 3, torch.Generator())
        wanted, found = (each.codec.condition(pictures) for each in (views, cached))
        without = [each.codec.unconditional(wanted) for each in (views, cached)]
        for a, b in ((wanted, found), without):
            assert (
                a.picture is not None and b.picture is not None and a.text is not None and b.text is not None
            )
            assert torch.equal(a.picture, b.picture) and torch.equal(a.text, b.text)
    x0 = torch.randn(1, 4, 48, 32)
    assert torch.equal(views.codec.decode(x0), cached.codec.decode(x0))


def test_stage1_and_pairs_are_the_same_with_latents_and_without(room: Path, tmp_path: Path) -> None:
    latents = ["--latents", room / "latents"]
    distill(room, tmp_path / "pairs-plain")
    distill(room, tmp_path / "pairs-cached", *latents)
    plain, cached = (contents(tmp_path / f"pairs-{how}") for how in ("plain", "cached"))
    assert plain.pop("run.json") != cached.pop("run.json")  # which names the latents
    assert plain == cached
    more = ["--pairs", tmp_path / "pairs-plain", "--set", "regression_steps=2", "--set", "batch=2"]
    distill(room, tmp_path / "stage1-plain", *more)
    distill(room, tmp_path / "stage1-cached", *more, *latents)
    assert losses(tmp_path / "stage1-plain") == losses(tmp_path / "stage1-cached") != []
    plain, cached = (contents(tmp_path / f"stage1-{how}" / MULTIVIEW) for how in ("plain", "cached"))
    assert plain == cached
    trained = tmp_path / "stage1-cached" / MULTIVIEW
    assert (trained / "vision.safetensors").samefile(room / "init" / MULTIVIEW / "vision.safetensors")
    assert [p.name for p in (tmp_path / "stage1-cached").glob("grid_*.png")]
    load_zero123plus(trained)  # whole: it encodes a user's picture


def test_half_latents_take_half_and_differ_by_rounding(room: Path, tmp_path: Path) -> None:
    encode(folders_of(encoding(room, "float16"), tmp_path / "half"), Here(room / "init"))
    exact, half = (
        Latents(folder, room / "init" / MULTIVIEW) for folder in (room / "latents", tmp_path / "half")
    )
    pictures = FullConditions(room / "shards", 0.85, 1.0).conditions(0, 6, torch.Generator())
    for a, b in zip(exact.of(pictures), half.of(pictures)):
        assert a.dtype == b.dtype == torch.float32 and not torch.equal(a, b)
        torch.testing.assert_close(a, b, rtol=2**-11, atol=1e-6)


def test_what_was_killed_goes_on_and_ends_at_the_same_bytes(room: Path, tmp_path: Path) -> None:
    folder = tmp_path / "latents"
    shutil.copytree(room / "latents", folder)
    # as a kill leaves it: begun, no index, a file missing, one cut off (by the disk), half of another
    settings = json.loads((folder / INDEX).read_text())["settings"]
    (folder / INDEX).unlink()
    (folder / BEGUN).write_text(json.dumps(settings))
    (folder / "latents-000001.safetensors").unlink()
    cut = folder / "latents-000000.safetensors"
    cut.write_bytes(cut.read_bytes()[:1000])
    (folder / ".latents-000001-999999.0123abcd.part.safetensors").write_bytes(b"half")
    with pytest.raises(ConfigError, match="geco data encode"):
        Latents(folder, room / "init" / MULTIVIEW)
    pool = Here(room / "init")
    encode(folders_of(encoding(room), folder), pool)
    assert pool.files == 2 and contents(folder) == contents(room / "latents")
    encode(folders_of(encoding(room), folder), pool)
    assert pool.files == 2


def test_what_does_not_fit_is_refused(room: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = write_dots(tmp_path / "other", ["condition-2"], objects=5)
    views = FULL.load_views(room / "init", CPU, latents=room / "latents")
    with pytest.raises(ConfigError, match="other shards"):
        FULL.source(other, views, 0, USUAL, CPU)
    with pytest.raises(ConfigError, match="no latent of a picture"):
        views.codec.condition(torch.rand(1, 3, 512, 512))
    model = tmp_path / "model"
    shutil.copytree(room / "init", model)
    card = json.loads((model / MULTIVIEW / "config.json").read_text())
    (model / MULTIVIEW / "config.json").write_text(json.dumps(card | {"background": 0.5}))
    with pytest.raises(ConfigError, match="another model's encoders"):
        Latents(room / "latents", model / MULTIVIEW)
    with pytest.raises(ConfigError, match="other model"):
        folders_of(Encoding(room / "shards", model, "float32", 4), room / "latents")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note.txt").write_text("mine")
    with pytest.raises(ConfigError, match="not empty"):
        folders_of(encoding(room), tmp_path / "full")
    with locked(room / "latents", LOCK), pytest.raises(OutputError, match="another run"):
        encode(folders_of(encoding(room), room / "latents"), Here(room / "init"))
    small = ["data", "encode", str(other), "--model", "models/small/teacher", "-o", str(tmp_path / "never")]
    assert main(small) == 2 and "pixels" in capsys.readouterr().err
    assert not (tmp_path / "never").exists()
