"""Hub ids, pins and fetches against a hub of our own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from geco.model_files.hub import PINNED, is_hub_id
from tests.cases import BUGS
from tests.cli_command import geco
from tests.hub.server import COMMIT, Hub, serving

PINNED_ID = "timm/vgg16.tv_in1k"
OTHERS = ("sudo-ai/zero123plus-v1.2", "TencentARC/InstantMesh", "some/model", "some/model.v2")
FILES = {"model.safetensors": b"these are no weights", "config.json": b"{}", "model_index.json": b"{}"}


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving({name: dict(FILES) for name in (PINNED_ID, *OTHERS)}) as server:
        yield server


def fetched(hub: Hub, home: Path, code: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process whose hub is ours: the client reads these settings when it is imported."""
    lead = (
        "from geco.model_files.hub import fetch, fetch_file\nfrom geco.errors import WeightsError\ntry:\n  "
    )
    environment = {**os.environ, **hub.environment(home), **more}
    program = f"{lead}{code}\nexcept WeightsError as error: print(error)"
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True
    )


def test_ids_have_dots_and_are_no_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (
        "sudo-ai/zero123plus-v1.2",
        "sudo-ai/zero123plus-v1.1",
        "TencentARC/InstantMesh",
        "timm/vgg16.tv_in1k",
    ):
        assert is_hub_id(name) and is_hub_id(Path(name))
    for other in ("small", "../a", "a/..", "./a", "a/b/c", "a b/c", "模型/x", "a/", "/a", "", "a/b\0"):
        assert not is_hub_id(other), other
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "teacher").symlink_to("nowhere")
    assert not is_hub_id("runs/teacher")  # somebody's broken link is not to be looked up elsewhere


def test_an_id_with_dots_reaches_the_hub_at_the_pinned_commit(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = "sudo-ai/zero123plus-v1.2"
    for name, value in hub.environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    result = geco("run", BUGS / "run" / "toy.png", "--model", model, "-o", tmp_path / "a.glb")
    said = result.stderr.splitlines()[-1]
    assert result.returncode == 2 and said.startswith(
        "geco: TencentARC/InstantMesh has no file diffusion_pytorch"
    )
    assert any(f"/{model}/resolve/{PINNED[model].revision}/" in path for path in hub.seen)
    assert not list((tmp_path / "cache").rglob("config.json"))


def test_a_file_that_is_not_the_pinned_one_is_refused(hub: Hub, tmp_path: Path) -> None:
    done = fetched(hub, tmp_path, f"print(fetch_file({PINNED_ID!r}, 'model.safetensors', 'BSD'))")
    assert "damaged or another file: its SHA-256 is not the one this version was made with" in done.stdout
    assert PINNED[PINNED_ID].revision in done.stderr and "licence BSD" in done.stderr
    other = fetched(
        hub,
        tmp_path,
        f"print(fetch_file({PINNED_ID!r}, 'model.safetensors', 'BSD', revision='b' * 40).read_text())",
    )
    assert other.stdout == "these are no weights\n"  # asked for by name


def test_without_a_pin_the_commit_is_told_and_kept(hub: Hub, tmp_path: Path) -> None:
    done = fetched(hub, tmp_path, "print(fetch('some/model.v2', ['*.json'], 'CC0').revision)")
    assert done.stdout.strip() == COMMIT and f"some/model.v2: main is commit {COMMIT}" in done.stderr
    offline = fetched(
        hub, tmp_path, "print(fetch('some/model.v2', ['*.json'], 'CC0').revision)", HF_HUB_OFFLINE="1"
    )
    assert offline.stdout.strip() == COMMIT


def test_a_listing_cannot_lead_outside_the_cache(hub: Hub, tmp_path: Path) -> None:
    hub.files["some/model"] = dict.fromkeys(
        ("../../../../outside.json", "/tmp/geco-outside.json", "good.json"), b"{}"
    )
    done = fetched(hub, tmp_path / "home", "print(fetch('some/model', ['*.json'], 'CC0').folder)")
    outside = [
        path
        for path in tmp_path.rglob("outside.json")
        if "snapshots" not in path.parts and "blobs" not in path.parts
    ]
    assert not outside and not Path("/tmp/geco-outside.json").exists()
    assert "cannot fetch some/model" in done.stdout and "outside.json" in done.stdout
