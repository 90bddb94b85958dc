"""A model that travels: the same views, to the bit, from the published folder, a hub, and a diffusers
pipeline that knows nothing of this package.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline
from safetensors.torch import load_file

from geco.cli.main import main
from geco.loading import EMBEDDED
from geco.model_files.card import read_model_card
from geco.model_files.publish import publish
from geco.public_weights.diffusers_files import joined
from geco.sampling import Sampling
from geco.torch_runtime.backend import TorchBackend
from geco.torch_runtime.folder import load_backend
from geco.types import Floats
from tests.hub.commands import geco
from tests.hub.server import files_of, serving
from tests.training.build_full import full_room

MODELS = Path(__file__).parents[2] / "models" / "small"
WAYS = [
    Sampling(),
    Sampling("few-step", 3, 3.0, timestep=500, truncation=0.7),
    Sampling("euler-ancestral", 3, 4.0),
    Sampling("ddim", 3, 4.0, reference="clean"),
    Sampling("ddim", 3, 1.0, eta=0.5, clip=1.0),
]
ALONE = """
import sys
sys.modules["geco"] = None  # an import of it fails
import numpy as np, torch
from diffusers import DiffusionPipeline
pipe = DiffusionPipeline.from_pretrained(sys.argv[1], trust_remote_code=True)
picture = torch.from_numpy(np.load(sys.argv[2])).permute(2, 0, 1)
views = pipe(picture, seeds=[3, 5], output_type="pt").views
np.save(sys.argv[3], views.permute(0, 1, 3, 4, 2).numpy())
"""


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published model of the full family, tiny."""
    folder = tmp_path_factory.mktemp("full")
    publish(full_room(folder) / "init", folder / "published")
    return folder / "published"


def picture_for(backend: TorchBackend) -> Floats:
    side = backend.card.picture_size
    return np.random.default_rng(0).random((side, side, 3), np.float32)


def ours(model: Path, how: Sampling | None = None) -> tuple[torch.Tensor, Floats]:
    """Views (2, 6, 3, S, S) of seeds 3 and 5, and the picture."""
    backend = load_backend(str(model), "cpu")
    picture = picture_for(backend)
    return backend.generate([picture], [3, 5], how).on(torch.device("cpu")), picture


@pytest.mark.parametrize("how", WAYS, ids=str)
def test_the_full_pipeline_draws_our_views_to_the_bit(
    full: Path, tmp_path: Path, how: Sampling, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["export", str(full), "--to", "diffusers", "-o", str(tmp_path / "out")]) == 0
    wanted, picture = ours(full, how)
    pipe = DiffusionPipeline.from_pretrained(tmp_path / "out", trust_remote_code=True)
    pipe.register_to_config(sampling=how.to_dict())
    found = pipe(torch.from_numpy(picture).permute(2, 0, 1), seeds=[3, 5])
    assert torch.equal(found.views, wanted) and wanted.std() > 0.1
    sheet = np.asarray(found.images[1])
    assert sheet.shape == (96, 64, 3)
    assert np.abs(sheet[:32, 32:] / 255 - wanted[1, 1].permute(1, 2, 0).numpy()).max() <= 0.5 / 255 + 1e-6


@pytest.mark.parametrize("model", [EMBEDDED, MODELS / "teacher"], ids=["one step", "two guided steps"])
def test_the_small_pipeline_draws_our_views_to_the_bit(model: Path, tmp_path: Path) -> None:
    assert main(["export", str(model), "--to", "diffusers", "-o", str(tmp_path / "out")]) == 0
    wanted, picture = ours(model)
    pipe = DiffusionPipeline.from_pretrained(tmp_path / "out", trust_remote_code=True)
    told = torch.from_numpy(picture).permute(2, 0, 1)
    assert torch.equal(pipe(told, seeds=[3, 5]).views, wanted) and wanted.std() > 0.05
    z = torch.randn(1, 6, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    one, other = (pipe(told, latents=z, seeds=[seed]).views for seed in (1, 2))
    assert torch.equal(one, other) == (model == EMBEDDED)  # the teacher's steps take fresh noise too


@pytest.mark.slow
def test_published_model_hub_and_lone_pipeline_give_the_same_views(full: Path, tmp_path: Path) -> None:
    wanted, picture = ours(full)
    np.save(tmp_path / "picture.npy", picture)
    exported = tmp_path / "exported"
    assert main(["export", str(full), "--to", "diffusers", "-o", str(exported)]) == 0
    with serving({"acme/full": files_of(full), "acme/views": files_of(exported)}) as hub:
        (got,) = geco(hub, tmp_path, ["get", "acme/full", "-o", tmp_path / "got"])
        assert got.code == 0, got
        words = [sys.executable, "-c", ALONE, "acme/views", "picture.npy", "views.npy"]
        environment = {**os.environ, **hub.environment(tmp_path), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    from_hub, _ = ours(tmp_path / "got")
    alone = np.load(tmp_path / "views.npy")
    assert torch.equal(from_hub, wanted)
    assert np.array_equal(alone, wanted.permute(0, 1, 3, 4, 2).numpy())


def test_a_full_pipeline_becomes_a_model_again(full: Path, tmp_path: Path) -> None:
    exported, again = tmp_path / "exported", tmp_path / "again"
    assert main(["export", str(full), "--to", "diffusers", "--steps", "2", "-o", str(exported)]) == 0
    words = ["--multiview", str(exported), "--reconstructor", str(full), "-o", str(again)]
    assert main(["convert", *words]) == 0
    for name in ("unet", "vae", "vision", "text"):
        before, after = (load_file(f / "multiview" / f"{name}.safetensors") for f in (full, again))
        assert before.keys() == after.keys()
        assert all(torch.equal(value.float(), after[key].float()) for key, value in before.items()), name
    half = Path("reconstructor") / "model.safetensors"
    assert load_file(full / half).keys() == load_file(again / half).keys()
    card = read_model_card(again)
    assert card["facts"]["sampling"]["steps"] == 2 and card["facts"]["resolution"] == 16
    assert card["licence"] == "views: test; reconstructor: test"
    assert torch.equal(ours(again)[0], ours(full, Sampling("euler-ancestral", 2, 4.0))[0])


def test_a_small_pipeline_becomes_a_model_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exported, again = tmp_path / "exported", tmp_path / "again"
    assert main(["export", str(EMBEDDED), "--to", "diffusers", "-o", str(exported)]) == 0
    assert main(["convert", "--multiview", str(exported), "-o", str(again)]) == 2
    assert "without a reconstructor" in capsys.readouterr().err and not again.exists()
    words = ["--multiview", str(exported), "--reconstructor", str(EMBEDDED), "-o", str(again)]
    assert main(["convert", *words]) == 0
    before, after = (load_file(f / "multiview" / "network.safetensors") for f in (EMBEDDED, again))
    assert before.keys() == after.keys()
    assert all(torch.equal(value.float(), after[key]) for key, value in before.items())
    assert read_model_card(again)["facts"]["distilled"]
    assert torch.equal(ours(again)[0], ours(EMBEDDED)[0])


def test_an_export_may_be_made_again_and_nothing_else_is_written_over(full: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["export", str(full), "--to", "diffusers", "-o", str(out)]
    assert main(words) == 0
    before = files_of(out)
    assert main([*words, "--precision", "float16"]) == 0
    formats = {
        value.dtype for value in load_file(out / "unet" / "diffusion_pytorch_model.safetensors").values()
    }
    assert formats == {torch.float16}
    assert main(words) == 0 and files_of(out) == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("keep")
    assert main([*words[:-1], str(tmp_path / "mine")]) == 2
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["file"]


def test_travelling_files_know_nothing_of_this_package() -> None:
    for names in (
        ("sampling", "layout", "pictures", "attention", "full_pipeline"),
        ("small_network",),
        ("prompt",),
    ):
        text = joined(names)
        compile(text, "shipped", "exec")
        assert not any(line.startswith(("from geco", "import geco")) for line in text.splitlines())
        assert json.dumps(text)
