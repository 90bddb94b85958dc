"""What ONNX Runtime runs on beside the CPU: named, checked against it, never fallen back from silently."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from geco.cli.main import main
from geco.errors import ConfigError
from geco.loading import load_backend
from geco.model_files.card import write_model_card
from geco.onnx_runtime.backend import OnnxBackend
from geco.onnx_runtime.card import ExportedModel
from geco.onnx_runtime.providers import CPU, PROVIDERS, Provider, devices, provider_of
from geco.pipeline import GecoPipeline
from tests.onnx_runtime.conftest import SIZE, USAGE

OF_CPU = Provider("coreml", CPU, "")  # the CPU by another name: with a provider's options, which are none
BY_DEVICE = {provider.device: provider for provider in PROVIDERS}


def picture() -> np.ndarray:
    return np.random.default_rng(0).random((SIZE, SIZE, 3), np.float32)


@pytest.mark.parametrize("device", BY_DEVICE)
def test_an_installed_provider_gives_the_cpus_views_and_a_missing_one_is_named(
    device: str, exported: Path
) -> None:
    provider = BY_DEVICE[device]
    if not provider.is_installed():
        with pytest.raises(ConfigError, match=f"{provider.name}.* not installed. .*{provider.package}"):
            OnnxBackend(exported, "m", provider)
        return
    # The first compares itself with the CPU as it is loaded; here is another picture.
    found, wanted = (OnnxBackend(exported, "m", each).generate([picture()], [3]) for each in (provider, None))
    reached = -10 * np.log10(max(float(np.square(found - wanted).mean()), 1e-12))
    assert reached > provider.least - 10


@pytest.mark.filterwarnings("ignore:Duplicate provider")
def test_a_provider_runs_the_networks(exported: Path) -> None:
    found, wanted = (OnnxBackend(exported, "m", each).generate([picture()], [3]) for each in (OF_CPU, None))
    np.testing.assert_allclose(found, wanted, atol=1e-6)


@pytest.mark.filterwarnings("ignore:Duplicate provider")
def test_views_other_than_the_cpus_are_refused(exported: Path) -> None:
    strict = Provider("coreml", CPU, "", least=1000.0)  # more than any two runs can be alike
    with pytest.raises(ConfigError, match=r"other views than the CPU: 120 dB .* 1000 are asked for"):
        OnnxBackend(exported, "m", strict)


def test_a_provider_that_did_not_start_is_an_error(exported: Path) -> None:
    session = ExportedModel(exported).network("shape")._session.get()
    OF_CPU.check_started(session)
    with pytest.raises(ConfigError, match="CUDAExecutionProvider does not start"):
        BY_DEVICE["cuda"].check_started(session)


def test_names_of_devices() -> None:
    assert provider_of("openvino") == BY_DEVICE["openvino"]
    second = provider_of("cuda:1")
    assert second is not None and second.number == 1 and second.options() == {"device_id": "1"}
    assert [provider_of(name) for name in ("cpu", "mps", "openvino:1", "cuda,fp16", "CUDA")] == [None] * 5
    assert devices()["cpu"] == "installed" and set(devices()) == {"cpu", *BY_DEVICE}


def test_a_model_without_graphs_has_no_use_for_a_provider(tmp_path: Path) -> None:
    write_model_card(tmp_path, "small", "test", USAGE.to_dict())
    with pytest.raises(ConfigError, match=r"openvino runs graphs of ONNX Runtime, and .* has none"):
        load_backend(tmp_path, "openvino")


@pytest.mark.skipif(BY_DEVICE["openvino"].is_installed(), reason="it is there")
def test_the_command_says_in_one_line_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = np.full((64, 64, 4), 255, np.uint8)
    from PIL import Image

    Image.fromarray(drawn).save(tmp_path / "a.png")
    out = tmp_path / "a.glb"
    assert main(["run", str(tmp_path / "a.png"), "-o", str(out), "--device", "openvino"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "pip install onnxruntime-openvino" in said and not out.exists()
    with pytest.raises(ConfigError, match="unknown device"):
        GecoPipeline.from_pretrained("small", "tpu")
