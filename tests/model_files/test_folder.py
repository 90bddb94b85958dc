from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from geco.errors import OutputError, WeightsError
from geco.model_files import folder as weights
from geco.model_files import hub
from geco.model_files.part import read_arrays, read_part_card
from geco.reading import read_regular, sha256_of

CARD = {"format": "test-1", "licence": "CC0"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    strided = torch.arange(12.0).reshape(3, 4).T
    weights.write_folder(
        tmp_path / "model", CARD, {"a": {"x": strided, "y": strided}, "b": {"z": torch.ones(100).half()}}
    )
    return tmp_path / "model"


def test_round_trip(folder: Path) -> None:
    card = read_part_card(folder, "test-1")
    assert card.text("licence") == "CC0" and set(card.fields("files")) == {"a.safetensors", "b.safetensors"}
    read = weights.read_part(folder, card, "a")
    assert torch.equal(read["x"], torch.arange(12.0).reshape(3, 4).T) and torch.equal(read["x"], read["y"])
    assert weights.read_part(folder, card, "b")["z"].dtype == torch.float16
    for name, value in read_arrays(folder, card, "b").items():
        assert (value == weights.read_part(folder, card, "b")[name].numpy()).all()
    assert weights.tensor_shapes(folder / "a.safetensors") == {"x": (4, 3), "y": (4, 3)}


def test_the_hash_is_sha256(folder: Path) -> None:
    expected = subprocess.run(
        ["sha256sum", folder / "b.safetensors"], capture_output=True, text=True, check=True
    ).stdout.split()[0]
    assert (
        sha256_of(folder / "b.safetensors")
        == expected
        == read_part_card(folder).values["files"]["b.safetensors"]["sha256"]
    )


def test_one_changed_byte_is_found(folder: Path) -> None:
    path, card = folder / "b.safetensors", read_part_card(folder)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"b.safetensors is damaged: its SHA-256") as caught:
        weights.read_part(folder, card, "b")
    assert caught.value.remedy
    assert weights.read_part(folder, card, "b", check_hash=False)  # not looked for, not found


@pytest.mark.parametrize(("size", "word"), [(0, "truncated"), (100, "truncated"), (100000, "too long")])
def test_a_wrong_size_is_found_without_hashing(folder: Path, size: int, word: str) -> None:
    os.truncate(folder / "a.safetensors", size)
    with pytest.raises(WeightsError, match=rf"a.safetensors is {word}: {size} bytes"):
        weights.read_part(folder, read_part_card(folder), "a", check_hash=False)


def test_missing_pieces_are_named(folder: Path, tmp_path: Path) -> None:
    card = read_part_card(folder)
    (folder / "a.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"a.safetensors is missing"):
        weights.read_part(folder, card, "a")
    (folder / "c.safetensors").write_bytes(b"")
    with pytest.raises(WeightsError, match=r"c.safetensors is not in the manifest"):
        weights.read_part(folder, card, "c")
    with pytest.raises(WeightsError, match="does not exist"):
        read_part_card(tmp_path / "nowhere")
    (folder / "config.json").unlink()
    with pytest.raises(WeightsError, match="incomplete"):
        read_part_card(folder)


@pytest.mark.parametrize("text", ["", "{", "[1]", "{}", '{"format": "other"}', "\x00"])
def test_a_bad_card_is_refused(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(WeightsError, match=r"config.json") as caught:
        read_part_card(folder, "test-1")
    assert caught.value.remedy


@pytest.mark.parametrize(
    "content", [b"", b"not weights", b"\xff" * 64, (1 << 62).to_bytes(8, "little") + b"{}"]
)
def test_what_is_no_safetensors_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    for read in (weights.read_safetensors, weights.tensor_shapes):
        with pytest.raises(WeightsError, match=r"x.safetensors is truncated or damaged"):
            read(path)


def test_an_interrupted_rewrite_leaves_no_complete_folder(folder: Path) -> None:
    class Broken(dict):  # type: ignore[type-arg]
        def items(self):  # type: ignore[no-untyped-def]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        weights.write_folder(folder, CARD, {"a": {"x": torch.zeros(1)}, "b": Broken()})
    assert not (folder / "config.json").exists() and not list(folder.glob(".*"))


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        weights.write_folder(tmp_path / "file" / "model", CARD, {"a": {"x": torch.zeros(1)}})
    with pytest.raises(ValueError, match="licence"):
        weights.write_folder(tmp_path, {"format": "x"}, {})


def test_hub_ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert hub.is_hub_id("sudo-ai/zero123plus-v1.2")
    for other in ("small", "./a/b", "/a/b", "a/b/c", "a b/c", ""):
        assert not hub.is_hub_id(other)
    (tmp_path / "sudo-ai" / "zero123plus-v1.2").mkdir(parents=True)
    assert not hub.is_hub_id("sudo-ai/zero123plus-v1.2")


def test_fetching_offline_says_what_to_do(tmp_path: Path) -> None:
    # In its own process, since the hub client reads these settings when it is imported.
    code = "from geco.model_files.hub import fetch_file\nfrom geco.errors import WeightsError\n"
    code += (
        "try: fetch_file('sudo-ai/zero123plus-v1.2', 'model_index.json', 'CC-BY-NC-4.0')\nexcept "
        "WeightsError as e: print(e)"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert "the hub cannot be reached. Fetch it where there is a network" in done.stdout
    assert "licence CC-BY-NC-4.0" in done.stderr


def test_a_damaged_cache_is_found(tmp_path: Path) -> None:
    # The hub's cache as its client lays it out: snapshots link to blobs that are named by their SHA-256.
    code = (
        "from geco.model_files.hub import fetch_file\nfrom geco.errors import WeightsError\n"
        "for model in 'a/good', 'a/bad':\n"
    )
    code += (
        "  try: print(fetch_file(model, 'w.bin', 'CC0').read_text())\n  except WeightsError as e: print(e)"
    )
    commit, named = "0" * 40, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"  # of "hello"
    for model, content in (("good", "hello"), ("bad", "hellp")):
        root = tmp_path / "hub" / f"models--a--{model}"
        for part in ("blobs", "refs", f"snapshots/{commit}"):
            (root / part).mkdir(parents=True)
        (root / "blobs" / named).write_text(content)
        (root / "refs" / "main").write_text(commit)
        (root / "snapshots" / commit / "w.bin").symlink_to(root / "blobs" / named)
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    good, bad = done.stdout.splitlines()
    assert good == "hello" and "w.bin is damaged" in bad


def test_the_card_is_written_last(folder: Path) -> None:
    times = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert max(times, key=lambda name: times[name]) == "config.json"
    assert (
        json.loads((folder / "config.json").read_text())["files"]["a.safetensors"]["bytes"]
        == (folder / "a.safetensors").stat().st_size
    )


def test_reading_takes_memory_for_what_is_there_and_no_more(tmp_path: Path) -> None:
    import tracemalloc

    path = tmp_path / "a.json"
    path.write_bytes(b"[1, 2]")
    tracemalloc.start()
    assert read_regular(path, 2**33, WeightsError) == b"[1, 2]"
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    with pytest.raises(WeightsError, match="too large"):
        read_regular(path, 5, WeightsError)
    unsized = Path("/proc/self/status")  # Linux says 0 bytes of it until it is read
    assert not unsized.exists() or len(read_regular(unsized, 10**6, WeightsError)) > 100
