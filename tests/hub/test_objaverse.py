"""Objaverse from a hub that is ours, by the real command: its token, address, cache and broken lines."""

from __future__ import annotations

import gzip
import json
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hub import commands
from tests.hub.server import Hub, serving

pytest.importorskip("huggingface_hub")
DATA_SET = "datasets/allenai/objaverse"
UIDS = {"a" * 32: "by", "c" * 32: "cc0", "d" * 32: "by"}


def glb(size: int) -> bytes:
    return struct.pack("<4sII", b"glTF", 2, size) + bytes(size - 12)


def place(uid: str) -> str:
    return f"glbs/000-000/{uid}.glb"


def packed(content: object) -> bytes:
    return gzip.compress(json.dumps(content).encode(), mtime=0)


@pytest.fixture
def hub() -> Iterator[Hub]:
    notes = {uid: {"license": code, "name": uid[0]} for uid, code in UIDS.items()}
    files = {
        "object-paths.json.gz": packed({uid: place(uid) for uid in UIDS}),
        "lvis-annotations.json.gz": packed({"mug": list(UIDS)}),
        "metadata/000-000.json.gz": packed(notes),
        **{place(uid): glb(200_000 + number) for number, uid in enumerate(UIDS)},
    }
    with serving({DATA_SET: files}) as running:
        yield running


def objaverse(hub: Hub, home: Path, *runs: list[str], **more: str) -> list[commands.Done]:
    asked = [["data", "objaverse", "-o", str(home / "out"), *run] for run in runs]
    return commands.geco(hub, home, *asked, HOME=str(home), **more)


def manifest(home: Path) -> Any:
    return json.loads((home / "out" / "manifest.json").read_text())


def test_objects_come_from_the_hub_with_the_users_token_and_once(hub: Hub, tmp_path: Path) -> None:
    hub.cut[place("a" * 32)] = [100_000]  # its line breaks after half of it, once
    first, second = objaverse(hub, tmp_path, ["--limit", "2"], [], HF_TOKEN="hf_of_a_user")
    assert (first.code, second.code) == (0, 0), (first, second)
    assert "2 objects" in first.out and "3 objects" in second.out
    assert hub.tokens == {"Bearer hf_of_a_user"}
    for uid in UIDS:
        assert (tmp_path / "out" / "000-000" / f"{uid}.glb").read_bytes() == hub.files[DATA_SET][place(uid)]
    broken, whole = hub.asked(place("a" * 32)), hub.asked(place("c" * 32))
    assert whole == [""] and len(broken) == 2 and broken[1].startswith("bytes=")  # it went on
    assert list((tmp_path / "hf" / "hub").rglob("object-paths.json.gz"))  # the hub's cache, not ours
    assert not list((tmp_path / "hf").rglob("*.glb")) and not (tmp_path / ".objaverse").exists()


def test_what_is_in_the_hubs_cache_is_taken_from_there_without_a_network(hub: Hub, tmp_path: Path) -> None:
    command = "import sys; from huggingface_hub import hf_hub_download as get"
    command += "; [get('allenai/objaverse', name, repo_type='dataset') for name in sys.argv[1:]]"
    environment = {**hub.environment(tmp_path), "HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", command, *hub.files[DATA_SET]], env=environment, check=True)
    hub.seen.clear()
    (done,) = objaverse(hub, tmp_path, [], HF_HUB_OFFLINE="1")
    assert done.code == 0 and len(manifest(tmp_path)["objects"]) == 3 and hub.seen == []


def test_what_the_hub_has_not_is_left_out_and_offline_is_one_line(hub: Hub, tmp_path: Path) -> None:
    (done,) = objaverse(hub, tmp_path, [], HF_HUB_OFFLINE="1")
    assert done.code == 2 and "HF_HUB_OFFLINE is set" in done.line and "procedural" in done.line
    del hub.files[DATA_SET][place("d" * 32)]
    hub.files[DATA_SET][place("c" * 32)] = glb(3_000_000)
    (done,) = objaverse(hub, tmp_path, ["--max-size", "1"])
    assert done.code == 0
    assert manifest(tmp_path)["skipped"] == {"c" * 32: "too-large", "d" * 32: "missing"}
    assert {path.suffix for path in (tmp_path / "out").rglob("*") if path.is_file()} == {".glb", ".json"}
