"""The nodes in ComfyUI itself: its loader, its executor, its web server. One command:

    GECO_COMFYUI=FOLDER GECO_COMFYUI_PYTHON=PYTHON pytest -n 0 -m shared tests/comfyui/test_real.py

FOLDER is its unpacked source, PYTHON an interpreter with what its requirements.txt names and what geco3d
needs; without torchvision, of which the registry has no wheel for a CPU, stand-ins take the place of it and
of torchaudio.
"""

from __future__ import annotations

import inspect
import io
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from geco import GecoPipeline
from geco.asset import Asset
from tests.comfyui import contract
from tests.comfyui.live import ROOT, Comfy, comfy, environment, python_of, waiting
from tests.comfyui.workflows import asked

pytestmark = pytest.mark.shared
trimesh = pytest.importorskip("trimesh")
PICTURES = ("bus.png", "mug.png")


@pytest.fixture(scope="module")
def folder() -> Path:
    named = os.environ.get("GECO_COMFYUI") or os.path.join(os.environ.get("GECO_SHARED", ""), "comfyui")
    if not (Path(named) / "main.py").is_file():
        pytest.skip("GECO_COMFYUI names no folder with ComfyUI's source")
    return Path(named)


@pytest.fixture(scope="module")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Comfy]:
    base = tmp_path_factory.mktemp("comfy")
    with comfy(folder, python_of(), base) as running:
        for name in PICTURES:
            shutil.copy(ROOT / "examples" / name, base / "input" / name)
        Image.new("RGB", (256, 256), "white").save(base / "input" / "blank.png")
        yield running


@pytest.fixture(scope="module")
def by_hand() -> Asset:
    return GecoPipeline.from_pretrained("small")(ROOT / "examples" / "bus.png", seed=0)


def loaded(data: bytes) -> Any:
    return trimesh.load(io.BytesIO(data), file_type="glb", force="mesh", process=False)


def ended_well(entry: dict[str, Any]) -> dict[str, Any]:
    assert entry["status"]["status_str"] == "success", entry["status"]
    outputs: dict[str, Any] = entry["outputs"]
    return outputs


def test_the_example_makes_the_mesh_that_geco_run_makes(server: Comfy, by_hand: Asset) -> None:
    outputs = ended_well(server.run(asked()))
    (file,) = outputs["2"]["3d"]
    mesh = loaded(server.view(file))
    assert len(mesh.faces) == by_hand.facts["faces"] and mesh.visual.material.baseColorTexture is not None
    np.testing.assert_allclose(mesh.vertices, by_hand.mesh.vertices[:, [1, 2, 0]], atol=2e-3)
    (shown, _) = outputs["3"]["result"]
    assert shown == f"{file['subfolder']}/{file['filename']}" == "3d/GECO_00001_.glb"
    views = [Image.open(io.BytesIO(server.view(each))) for each in outputs["4"]["images"]]
    assert len(views) == 6
    for view, own in zip(views, by_hand.views):
        assert np.abs(np.asarray(view.convert("RGB")) / 255 - own).mean() < 0.01
    (cutout,) = outputs["5"]["images"]
    assert Image.open(io.BytesIO(server.view(cutout))).size == by_hand.picture.shape[:2]


def test_the_pack_loads_without_a_word_and_its_example_is_offered(server: Comfy) -> None:
    log = (server.base / "log.txt").read_text()
    (loaded_in,) = [line for line in log.splitlines() if line.endswith("custom_nodes/geco3d")]
    assert "seconds" in loaded_in and "FAILED" not in loaded_in
    assert "Unable to parse pyproject.toml" not in log
    assert server.json("/workflow_templates")["geco3d"] == ["picture_to_mesh"]


def test_a_workflow_is_cached_and_the_next_file_gets_the_next_number(server: Comfy) -> None:
    workflow = asked()
    ended_well(server.run(workflow))
    before = set((server.base / "output" / "3d").iterdir())
    ended_well(server.run(workflow))
    assert set((server.base / "output" / "3d").iterdir()) == before
    workflow["2"]["inputs"]["seed"] = 5
    ended_well(server.run(workflow))
    (new,) = set((server.base / "output" / "3d").iterdir()) - before
    assert new.name == f"GECO_{len(before) + 1:05}_.glb"


def test_all_three_nodes_a_batch_and_seeds_feed_comfyuis_own_nodes(server: Comfy) -> None:
    workflow = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "bus.png"}},
        "2": {"class_type": "LoadImage", "inputs": {"image": "mug.png"}},
        "3": {"class_type": "ImageBatch", "inputs": {"image1": ["1", 0], "image2": ["2", 0]}},
        "4": {"class_type": "GecoLoadModel", "inputs": {"model": "small"}},
        "5": {
            "class_type": "GecoMoreChoices",
            "inputs": {"vertex_colors": True, "truncation": 1.0, "resolution": 32},
        },
        "6": {
            "class_type": "GecoPictureToMesh",
            "inputs": {
                "image": ["3", 0],
                "model": ["4", 0],
                "more": ["5", 0],
                "seed": 1,
                "samples": 2,
                "faces": 900,
                "texture_size": 0,
                "filename_prefix": "many/M",
            },
        },
        "7": {"class_type": "SaveGLB", "inputs": {"mesh": ["6", 1], "filename_prefix": "theirs/T"}},
        "8": {"class_type": "SaveImage", "inputs": {"images": ["6", 2], "filename_prefix": "views/V"}},
        "9": {"class_type": "PreviewAny", "inputs": {"source": ["6", 5]}},
        "10": {"class_type": "MaskPreview", "inputs": {"mask": ["6", 4]}},
    }
    known = server.json("/object_info")
    workflow = {number: node for number, node in workflow.items() if node["class_type"] in known}
    outputs = ended_well(server.run(workflow))
    ours, theirs = outputs["6"]["3d"], outputs["7"]["3d"]
    assert len(ours) == len(theirs) == 4 and len(outputs["8"]["images"]) == 4 * 6
    for our, their in zip(ours, theirs):
        data = server.view(our)
        mesh = loaded(data)
        np.testing.assert_allclose(loaded(server.view(their)).vertices, mesh.vertices, atol=1e-6)
        assert 100 < len(mesh.faces) <= 900 and b'"COLOR_0"' in data
    facts = [json.loads(text) for text in outputs["9"]["text"]]
    assert [each["seed"] for each in facts] == [1, 2, 1, 2]


def test_an_error_is_one_line_and_the_server_goes_on(server: Comfy) -> None:
    workflow = asked()
    workflow["1"]["inputs"]["image"] = "blank.png"
    entry = server.run(workflow)
    assert entry["status"]["status_str"] == "error"
    (error,) = [told for name, told in entry["status"]["messages"] if name == "execution_error"]
    assert error["exception_type"] == "geco.errors.InputImageError" and error["node_id"] == "2"
    assert len(error["exception_message"].strip().splitlines()) == 1
    refused = asked()
    refused["2"]["inputs"]["faces"] = 3_000_000
    assert "node_errors" in server.post("/prompt", {"prompt": refused})
    ended_well(server.run(asked()))


def test_interrupt_stops_between_stages_and_leaves_whole_files(server: Comfy) -> None:
    workflow = asked()
    workflow["2"]["inputs"] |= {"samples": 500, "filename_prefix": "stopped/S"}
    prompt = server.post("/prompt", {"prompt": workflow})["prompt_id"]
    made = server.base / "output" / "stopped"
    for _ in waiting():
        if len(list(made.glob("*.glb"))) >= 2:
            break
    server.post("/interrupt", {})
    entry = server.ended(prompt)
    assert [name for name, _ in entry["status"]["messages"]][-1] == "execution_interrupted"
    files = sorted(made.glob("*.glb"))
    assert 2 <= len(files) < 100 and all(len(loaded(path.read_bytes()).faces) > 1000 for path in files)


def test_the_description_of_the_contract_is_comfyuis(folder: Path, tmp_path: Path) -> None:
    """What the nodes import is there, and takes what the description says."""
    told = contract.Comfy(tmp_path).modules()
    script = (
        "import importlib, inspect, json, sys; wanted = json.loads(sys.argv.pop()); sys.argv.append('--cpu');"
        "import comfy.options; comfy.options.enable_args_parsing();"
        "print(json.dumps({m: {n: list(inspect.signature(v).parameters) if callable("
        "v := getattr(importlib.import_module(m), n)) else sorted(vars(v)) for n in names}"
        " for m, names in wanted.items()}))"
    )
    wanted = json.dumps({module: list(names) for module, names in told.items()})
    command = [python_of(), "-c", script, wanted]
    said = subprocess.run(command, cwd=folder, env=environment(python_of()), capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    real = json.loads(said.stdout.splitlines()[-1])
    for module, names in told.items():
        for name, value in names.items():
            described = inspect.signature(value).parameters if callable(value) else vars(value)
            assert set(described) <= set(real[module][name]), (module, name)
