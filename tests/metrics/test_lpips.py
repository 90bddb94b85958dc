"""LPIPS's arithmetic against the paper's definition written out once more, on random trunks and
the published heads.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from geco.errors import ConfigError, WeightsError
from geco.metrics.lpips import HEADS, Lpips, load_lpips
from geco.metrics.lpips_trunks import find_trunk

# torchvision's `features`, as its model files number them: convolutions with (stride, padding), "R" ReLU, "M"
# max pool.
PLANS = {
    "vgg": "0 R 2 R M 5 R 7 R M 10 R 12 R 14 R M 17 R 19 R 21 R M 24 R 26 R 28 R",
    "alex": "0 R M 3 R M 6 R 8 R 10 R",
}
SHAPES = {
    "vgg": {
        0: 3,
        2: 64,
        5: 64,
        7: 128,
        10: 128,
        12: 256,
        14: 256,
        17: 256,
        19: 512,
        21: 512,
        24: 512,
        26: 512,
        28: 512,
    },
    "alex": {0: 3, 3: 64, 6: 192, 8: 384, 10: 256},
}
OUT = {
    "vgg": [64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512],
    "alex": [64, 192, 384, 256, 256],
}
KERNEL = {"vgg": [3] * 13, "alex": [11, 5, 3, 3, 3]}


def random_trunk(kind: str, classifier: bool = True) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(7)
    state = {}
    for (index, channels), out, kernel in zip(SHAPES[kind].items(), OUT[kind], KERNEL[kind]):
        weight = torch.randn(out, channels, kernel, kernel, generator=generator)
        state[f"features.{index}.weight"] = weight * (2 / (channels * kernel**2)) ** 0.5
        state[f"features.{index}.bias"] = torch.randn(out, generator=generator) * 0.1
    if classifier:
        state["classifier.6.weight"] = torch.zeros(10, 4)
    return state


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trunks")
    save_file(random_trunk("vgg"), path / "vgg16-397923af.safetensors")
    torch.save(random_trunk("alex"), path / "alexnet-owt-7be5be79.pth")
    return path


def by_the_paper(kind: str, a: np.ndarray, b: np.ndarray) -> float:
    """Equation 1, float64, one pair (H, W, 3) in [0, 1]."""
    state = {key: value.double() for key, value in random_trunk(kind).items()}
    heads = {key: value.double() for key, value in load_file(HEADS / f"{kind}.safetensors").items()}

    def features(picture: np.ndarray) -> list[torch.Tensor]:
        x = torch.from_numpy(picture).double().permute(2, 0, 1)[None] * 2 - 1
        x = (x - torch.tensor([-0.030, -0.088, -0.188])[:, None, None]) / torch.tensor([0.458, 0.448, 0.450])[
            :, None, None
        ]
        found = []
        plan = PLANS[kind].split()
        for step, following in zip(plan, [*plan[1:], "end"]):
            if step == "M":
                x = F.max_pool2d(x, 2, 2) if kind == "vgg" else F.max_pool2d(x, 3, 2)
            elif step == "R":
                x = x.clamp(min=0)
                if kind == "alex" or following in ("M", "end"):  # VGG's are the last ReLU of each stage
                    found.append(x[0])
            else:
                stride, padding = (
                    (4, 2)
                    if (kind, step) == ("alex", "0")
                    else (1, 2 if (kind, step) == ("alex", "3") else 1)
                )
                x = F.conv2d(
                    x, state[f"features.{step}.weight"], state[f"features.{step}.bias"], stride, padding
                )
        return found

    total = 0.0
    for layer, (fa, fb) in enumerate(zip(features(a), features(b))):
        head = heads[f"lin{layer}.model.1.weight"].reshape(-1)
        fa, fb = fa / (fa.norm(dim=0) + 1e-10), fb / (fb.norm(dim=0) + 1e-10)
        total += float(torch.einsum("c,chw->hw", head, (fa - fb) ** 2).mean())
    assert layer == 4
    return total


@pytest.mark.parametrize("kind", ["vgg", "alex"])
def test_the_distance_is_the_papers(kind: str, folder: Path) -> None:
    rng = np.random.default_rng(0)
    a = rng.random((2, 2, 40, 48, 3), np.float32)
    b = np.clip(a + 0.2 * rng.standard_normal(a.shape, np.float32), 0, 1)
    a[0, 0], b[0, 0] = 1.0, 1.0  # flat white, as most of a render is
    model = load_lpips(kind, folder)
    found = model.distance(a, b, batch=3)
    assert found.shape == (2, 2) and found.dtype == np.float64
    wanted = [[by_the_paper(kind, a[i, j], b[i, j]) for j in range(2)] for i in range(2)]
    np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=1e-7)
    assert found[0, 0] == 0 and found[1, 1] > 0.01
    np.testing.assert_allclose(model.distance(b, a), found, rtol=1e-6)


@pytest.mark.parametrize("kind", ["vgg", "alex"])
def test_the_heads_are_the_published_ones(kind: str) -> None:
    heads = load_file(HEADS / f"{kind}.safetensors")
    widths = {"vgg": [64, 128, 256, 512, 512], "alex": [64, 192, 384, 256, 256]}[kind]
    assert [heads[f"lin{k}.model.1.weight"].shape for k in range(5)] == [(1, width, 1, 1) for width in widths]
    # the paper projects them to be non-negative
    assert all(float(head.min()) >= 0 for head in heads.values())
    assert "Redistributions" in (HEADS / "LICENSE").read_text()


def test_gradients_are_finite_where_pictures_are_flat(folder: Path) -> None:
    model = load_lpips("alex", folder)
    a = torch.ones(1, 3, 33, 33, requires_grad=True)
    target = torch.ones(1, 3, 33, 33)
    target[:, :, 10:20, 10:20] = 0.2
    model(a, target).sum().backward()
    assert a.grad is not None and a.grad.isfinite().all() and a.grad.abs().max() > 0
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_missing_foreign_and_damaged_weights_are_refused(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(WeightsError, match=r"no weights of LPIPS's vgg trunk.*hf download timm/vgg16"):
        load_lpips("vgg", tmp_path)
    with pytest.raises(WeightsError, match=r"features\."):
        load_lpips("vgg", find_trunk("alex", folder))
    (tmp_path / "vgg16.safetensors").write_bytes((folder / "vgg16-397923af.safetensors").read_bytes()[:1000])
    with pytest.raises(WeightsError, match="truncated"):
        load_lpips("vgg", tmp_path)
    with pytest.raises(ConfigError, match="squeeze"):
        load_lpips("squeeze", folder)


@pytest.mark.parametrize("kind", ["vgg", "alex"])
def test_offline_the_error_says_how_to_get_them(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("geco.metrics.lpips_trunks.VGG_HUB_ID", "geco-tests/not-there")
    monkeypatch.setattr(
        "geco.metrics.lpips_trunks.ALEX_URL", (tmp_path / "absent" / "alexnet-owt-7be5be79.pth").as_uri()
    )
    monkeypatch.setattr("torch.hub._hub_dir", str(tmp_path / "hub"))
    with pytest.raises(WeightsError, match="DIR"):
        load_lpips(kind)
    assert not list((tmp_path / "hub").rglob("*.pth"))


def test_pictures_below_the_trunks_reach_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 16 px"):
        Lpips("vgg")(torch.zeros(1, 3, 15, 15), torch.zeros(1, 3, 15, 15))
    assert Lpips("vgg")(torch.zeros(1, 3, 16, 16), torch.zeros(1, 3, 16, 16)).shape == (1,)
    assert Lpips("alex")(torch.zeros(1, 3, 31, 31), torch.zeros(1, 3, 31, 31)).shape == (1,)
