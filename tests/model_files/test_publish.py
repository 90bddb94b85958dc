"""A published folder runs as the run it came from, to float16, and nothing else of the run is in it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save

from geco.cli.main import main
from geco.errors import OutputError, WeightsError
from geco.loading import EMBEDDED
from geco.locks import LOCK, locked
from geco.model_files.card import read_model_card, write_model_card
from geco.model_files.publish import publish
from geco.multiview.interface import Condition
from geco.multiview.small.network import SmallMultiView
from geco.multiview.small.weights import load_small, save_small
from geco.onnx_runtime.backend import OnnxBackend
from geco.recipes.tiny import tiny
from geco.sampling import Sampling
from geco.small_model import read_small_model
from geco.torch_runtime.folder import load_backend
from tests.training.build_full import full_room

MODELS = Path(__file__).parents[2] / "models" / "small"


def test_it_is_the_same_model_in_half_the_bytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    network = SmallMultiView(tiny().multiview).eval()
    torch.nn.init.normal_(network.head.weight, std=0.1)
    save_small(network, tmp_path / "run" / "multiview")
    write_model_card(tmp_path / "run", "small", "Apache-2.0", {"stage": "teacher"})
    (tmp_path / "run" / "checkpoint.pt").write_bytes(b"large")
    assert main(["publish", str(tmp_path / "run"), "-o", str(tmp_path / "out")]) == 0
    assert f"{tmp_path / 'out'}: teacher, " in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "README.md",
        "config.json",
        "multiview",
    ]
    assert read_model_card(tmp_path / "out")["facts"] == {"stage": "teacher"}
    before, after = (
        (tmp_path / name / "multiview" / "network.safetensors").stat().st_size for name in ("run", "out")
    )
    assert after < 0.6 * before
    state = network.encode_condition(Condition(torch.rand(1, 3, 16, 16)))
    x, t = torch.randn(1, 6, 3, 16, 16), torch.tensor([500])
    loaded = load_small(tmp_path / "out" / "multiview")
    with torch.no_grad():
        one = network.predict(x, t, state, "x0")
        other = loaded.predict(x, t, loaded.encode_condition(Condition(torch.rand(1, 3, 16, 16) * 0)), "x0")
        same = loaded.predict(x, t, state, "x0")
    assert torch.allclose(one, same, atol=5e-3) and not torch.allclose(one, other, atol=5e-3)


def test_it_refuses_what_is_no_run_and_what_is_not_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_model_card(Path("bare"), "small", "Apache-2.0")
    for name, family in (("run", "small"), ("large", "triposr"), ("broken", "small")):
        (tmp_path / name / "multiview").mkdir(parents=True)
        write_model_card(tmp_path / name, family, "Apache-2.0")
    Path("mine").mkdir()
    Path("mine/file").write_text("keep")
    before = sorted(tmp_path.rglob("*"))
    for run, folder, said in (
        ("nothing", "out", "config.json"),
        ("bare", "out", "no weights"),
        ("large", "out", "family 'triposr'"),
        ("broken", "out", "config.json"),
        ("run", "mine", "mine is not empty"),
        ("run", "mine/file", "not a folder"),
        ("run", "run", "the run itself"),
    ):
        assert main(["publish", run, "-o", folder]) == 2
        error = capsys.readouterr().err
        assert error.startswith("geco: ") and said in error and error.count("\n") == 1, error
        assert sorted(tmp_path.rglob("*")) == before


def test_the_same_run_may_be_published_again_and_another_may_not(tmp_path: Path) -> None:
    network = SmallMultiView(tiny().multiview)
    for name in ("one", "two"):
        save_small(network, tmp_path / name / "multiview")
        write_model_card(tmp_path / name, "small", "Apache-2.0", {"stage": name})
    publish(tmp_path / "one", tmp_path / "out")
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    publish(tmp_path / "one", tmp_path / "out")
    with pytest.raises(OutputError, match="not empty"):
        publish(tmp_path / "two", tmp_path / "out")
    assert before == {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}


def test_what_fails_half_way_leaves_an_empty_folder_empty(tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "out"
    out.mkdir()
    save_small(SmallMultiView(tiny().multiview), run / "multiview")
    (run / "reconstructor").mkdir()
    write_model_card(run, "small", "Apache-2.0")
    with pytest.raises(WeightsError, match="reconstructor"):
        publish(run, out)
    assert not list(out.iterdir())


def test_a_full_model_keeps_in_float32_what_is_small_and_decides(tmp_path: Path) -> None:
    run, out = full_room(tmp_path) / "init", tmp_path / "out"
    publish(run, out)
    unet, model = (
        load_file(out / name) for name in ("multiview/unet.safetensors", "reconstructor/model.safetensors")
    )
    formats = {name: tensor.dtype for name, tensor in (unet | model).items()}
    large = {name for name, tensor in (unet | model).items() if tensor.ndim > 1 and tensor.numel() > 256}
    exact = {name for name in large if name.startswith("synthesizer.")}
    assert exact and {formats[name] for name in large - exact} == {torch.float16}
    assert {dtype for name, dtype in formats.items() if name not in large - exact} == {torch.float32}
    before = load_file(run / "reconstructor" / "model.safetensors")
    assert before.keys() == model.keys() and all(
        torch.equal(value.to(model[name].dtype), model[name]) for name, value in before.items()
    )
    weights = (out / "multiview" / "unet.safetensors").read_bytes()
    assert weights == save(unet, {"format": "pt"})  # as the library itself writes it
    rng = np.random.default_rng(0)
    picture = rng.random((512, 512, 3), np.float32)
    one, other = (
        np.asarray(load_backend(str(folder), "cpu").generate([picture], [1])[0]) for folder in (run, out)
    )
    assert 0 < np.abs(one - other).max() < 0.02


def test_the_page_says_what_the_run_knows(tmp_path: Path) -> None:
    facts = {
        "recipe": "paper",
        "overrides": {"stage1": {"rate": 3e-6, "t_range": [0.1, 0.9]}},
        "data": {"stage1": {"objects": 7, "licences": {"CC-BY-4.0": 5, "unknown": 2}}},
        "distilled": True,
        "sampling": Sampling().to_dict(),
    }
    save_small(SmallMultiView(tiny().multiview), tmp_path / "run" / "multiview")
    card = tmp_path / "run" / "multiview" / "config.json"
    known = json.loads(card.read_text())
    known |= {
        "source": "sudo-ai/zero123plus-v1.2",
        "licence": "CC-BY-NC-4.0 (weights)",
        "revision": "2da07e8",
    }
    card.write_text(json.dumps(known))
    write_model_card(tmp_path / "run", "small", "views: CC-BY-NC-4.0; reconstructor: Apache-2.0", facts)
    (tmp_path / "run" / "training.json").write_text('{"steps": 5000, "machine": "L40"}')
    (tmp_path / "run" / "curves.png").write_bytes(b"png")
    publish(tmp_path / "run", tmp_path / "out", "## Evaluation\n\nPSNR 19.31", "me/mine")
    page = (tmp_path / "out" / "README.md").read_text()
    front = yaml.safe_load(page.split("---\n")[1])
    assert front["license"] == "cc-by-nc-4.0" and front["base_model"] == ["sudo-ai/zero123plus-v1.2"]
    assert "one-step" in front["tags"]
    wanted = ["| `stage1` | `rate` | `3e-06` |", "`0.1 0.9`", "| stage1 | 7 | CC-BY-4.0 5, unknown 2 |"]
    wanted += ["derivative", "PSNR 19.31", "| steps | 5,000 |", "(curves.png)", 'pretrained("me/mine")']
    assert all(text in page for text in wanted), page


def test_a_page_that_somebody_has_changed_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_small(SmallMultiView(tiny().multiview), tmp_path / "run" / "multiview")
    write_model_card(tmp_path / "run", "small", "Apache-2.0")
    publish(tmp_path / "run", tmp_path / "out")
    page = tmp_path / "out" / "README.md"
    page.write_text(page.read_text().replace("# out", "# My model"))
    publish(tmp_path / "run", tmp_path / "out")
    assert "# My model" in page.read_text() and "changed by hand" in capsys.readouterr().err


def test_what_a_killed_one_left_is_made_again(tmp_path: Path) -> None:
    save_small(SmallMultiView(tiny().multiview), tmp_path / "run" / "multiview")
    write_model_card(tmp_path / "run", "small", "Apache-2.0")
    publish(tmp_path / "run", tmp_path / "whole")
    left = tmp_path / "out"
    (left / ".making" / "multiview").mkdir(parents=True)
    (left / ".publishing").write_bytes(b"")
    (left / "multiview").mkdir()
    (left / "multiview" / "network.safetensors").write_bytes(b"half")
    publish(tmp_path / "run", left)
    files = [
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (tmp_path / "whole", left)
    ]
    for found in files:
        found.pop(Path("README.md"))  # which names the folder
    assert files[0] == files[1]


def test_two_do_not_publish_into_one_folder(tmp_path: Path) -> None:
    save_small(SmallMultiView(tiny().multiview), tmp_path / "run" / "multiview")
    write_model_card(tmp_path / "run", "small", "Apache-2.0")
    with locked(tmp_path / "out", LOCK), pytest.raises(OutputError, match="another run is writing"):
        publish(tmp_path / "run", tmp_path / "out")


def test_the_embedded_folder_gives_the_same_views_on_both_runtimes() -> None:
    rng = np.random.default_rng(0)
    backends = OnnxBackend(EMBEDDED, "small"), load_backend(str(EMBEDDED), "cpu")
    picture = rng.random((96, 96, 3), np.float32)
    ours, theirs = (np.asarray(backend.generate([picture], [5])[0]) for backend in backends)
    # each is up to 1e-5 from the network in float64
    assert np.abs(ours - theirs).max() < 2e-5 and ours.std() > 0.05
    assert vars(backends[0].card) == vars(backends[1].card) | {"name": "small"}


@pytest.mark.parametrize("name", ["teacher", "regressor"])
def test_the_repositorys_models_are_whole_and_nothing_else_is_in_them(name: str) -> None:
    model = read_small_model(MODELS / name)
    halves = {"reconstructor"} | ({"multiview"} if model.views else set())
    assert {path.name for path in (MODELS / name).iterdir()} == halves | {"config.json", "training.json"}
    for half in halves:
        assert {value.dtype for value in model.arrays(half).values()} == {np.dtype("f2"), np.dtype("f4")}
    assert not model.card["facts"].get("distilled")
