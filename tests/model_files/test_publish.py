"""A published folder runs as the run it came from, to float16, and nothing else of the run is in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

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
from geco.small_model import read_small_model
from geco.torch_runtime.folder import load_backend

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
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["config.json", "multiview"]
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
    for name, family in (("run", "small"), ("large", "full"), ("broken", "small")):
        (tmp_path / name / "multiview").mkdir(parents=True)
        write_model_card(tmp_path / name, family, "Apache-2.0")
    Path("mine").mkdir()
    Path("mine/file").write_text("keep")
    before = sorted(tmp_path.rglob("*"))
    for run, folder, said in (
        ("nothing", "out", "config.json"),
        ("bare", "out", "no weights"),
        ("large", "out", "family 'full'"),
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
