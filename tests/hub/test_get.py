"""What can go wrong on the way of a model from a hub: lines that break, kills, other bytes, full disks, and
two at once. The model is the embedded one in a repository, which needs no torch.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from geco.loading import EMBEDDED
from geco.model_files.products import PRODUCTS
from tests.hub.commands import ended, geco, start
from tests.hub.server import Hub, files_of, serving

ID = "acme/geco-small"
PICTURE = Path(__file__).parent.parent / "cases" / "bugs" / "run" / "toy.png"
LARGEST = "reconstructor/model.safetensors"


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    found = files_of(EMBEDDED)
    return {
        **found,
        "training.json": b"{}",
        "README.md": b"# A model",
        "notes/more.txt": b"of no use",
        "run.py": b"raise SystemExit",
    }


@pytest.fixture
def hub(files: dict[str, bytes]) -> Iterator[Hub]:
    with serving({ID: dict(files)}) as server:
        yield server


def folder(home: Path) -> Path:
    return home / "cache" / "geco" / "acme--geco-small"


def left(home: Path) -> list[str]:
    """What a command left in our cache."""
    cache = home / "cache"
    return sorted(path.relative_to(cache).as_posix() for path in cache.rglob("*") if path.is_file())


def test_a_model_folder_on_the_hub_is_used_as_it_is(
    hub: Hub, tmp_path: Path, files: dict[str, bytes]
) -> None:
    glb = tmp_path / "toy.glb"
    run = ["run", PICTURE, "--model", ID, "-o", glb, "--texture-size", "64", "--json"]
    ran, again, info = geco(hub, tmp_path, run, ["get", ID], ["info", "--model", ID])
    assert ran.code == 0 and "disk: " in ran.error, ran.error  # a hub id is fetched at its first use
    assert json.loads(ran.out)["model"] == ID and glb.exists()
    assert again.code == 0 and again.error == f"{ID} is here and whole\n"
    assert info.code == 0 and f"model {ID}" in info.out
    ours = {
        path: data
        for path, data in files.items()
        if path.split("/")[0] in ("config.json", "training.json", *PARTS)
    }
    assert files_of(folder(tmp_path)) == ours  # nothing else of the repository
    assert hub.asked(LARGEST) == [""]
    hub.files.clear()
    assert [done.code for done in geco(hub, tmp_path, run, ["get", ID])] == [0, 0]


PARTS = ("multiview", "reconstructor", "onnx")


def test_a_killed_get_goes_on_where_it_stopped(hub: Hub, tmp_path: Path) -> None:
    half = len(hub.files[ID][LARGEST]) // 2
    hub.hold[LARGEST] = half
    first = start(hub, tmp_path, ["get", ID])
    assert hub.holding.wait(60)
    part = wait_for_part(tmp_path, half - 64 * 1024)
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    assert left(tmp_path) == ["geco/acme--geco-small/.lock"]
    hub.hold.clear()
    hub.released.set()
    (second,) = geco(hub, tmp_path, ["get", ID])
    assert second.code == 0 and f"{LARGEST}: going on after" in second.error
    had = int(hub.asked(LARGEST)[1].removeprefix("bytes=").removesuffix("-"))
    assert len(hub.asked(LARGEST)) == 2 and half - 64 * 1024 <= had <= half
    assert not part.exists()


def wait_for_part(home: Path, size: int) -> Path:
    """The part of a download, once it has so many bytes on the disk."""
    found: list[Path] = []

    def is_there() -> bool:
        found[:] = [part for part in (home / "hf").rglob("*.incomplete") if part.stat().st_size >= size]
        return bool(found)

    wait_until(is_there)
    return found[0]


def wait_until(true: Callable[[], bool]) -> None:
    for _ in range(600):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen")


def test_every_file_is_asked_for_with_the_users_token(hub: Hub, tmp_path: Path) -> None:
    (done,) = geco(hub, tmp_path, ["get", ID], HF_TOKEN="hf_of_a_user")
    assert done.code == 0 and hub.tokens == {"Bearer hf_of_a_user"}


def test_a_line_that_breaks_is_taken_up_again(hub: Hub, tmp_path: Path) -> None:
    hub.cut[LARGEST] = [100_000]
    (done,) = geco(hub, tmp_path, ["get", ID])
    assert done.code == 0 and len(hub.asked(LARGEST)) == 2 and hub.asked(LARGEST)[1].startswith("bytes=")


def test_other_bytes_than_the_hub_says_are_refused_and_not_kept(hub: Hub, tmp_path: Path) -> None:
    hub.wrong.add(LARGEST)
    (done,) = geco(hub, tmp_path, ["get", ID])
    assert done.code == 2 and "arrived damaged" in done.line and left(tmp_path) == []
    hub.wrong.clear()
    assert geco(hub, tmp_path, ["get", ID])[0].code == 0


def test_small_files_are_compared_too(hub: Hub, tmp_path: Path) -> None:
    hub.wrong.add("training.json")
    (done,) = geco(hub, tmp_path, ["get", ID])
    assert done.code == 2 and "training.json is damaged" in done.line and left(tmp_path) == []


def test_weights_that_are_not_their_manifests_are_refused(hub: Hub, tmp_path: Path) -> None:
    data = hub.files[ID][LARGEST]
    hub.files[ID][LARGEST] = data[:-1] + bytes([data[-1] ^ 1])
    (done,) = geco(hub, tmp_path, ["get", ID])
    assert done.code == 2 and "is damaged" in done.line and left(tmp_path) == []


def test_a_missing_file_is_named(hub: Hub, tmp_path: Path) -> None:
    del hub.files[ID][LARGEST]
    (done,) = geco(hub, tmp_path, ["get", ID])
    assert done.code == 2 and "model.safetensors is missing" in done.line and left(tmp_path) == []


def test_more_than_the_disk_has_is_refused_before_it_is_fetched(hub: Hub, tmp_path: Path) -> None:
    hub.claimed[LARGEST] = 10**16
    (done,) = geco(hub, tmp_path, ["get", ID])
    assert done.code == 2 and done.line.startswith(f"geco: {ID} needs 10000") and "are free" in done.line
    assert not hub.asked(LARGEST) and left(tmp_path) == []


def test_without_a_line_one_line_says_so(hub: Hub, tmp_path: Path) -> None:
    commands = [["get", ID], ["run", PICTURE, "--model", ID, "-o", tmp_path / "a.glb"]]
    for offline in ({"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}):
        for done in geco(hub, tmp_path, *commands, **offline):
            assert done.code == 2 and ID in done.line and "hf download" in done.line, done
            assert "Retrying" not in done.error  # the library's own questions are repeated for minutes
    assert left(tmp_path) == []


def test_two_at_once_do_not_meet(hub: Hub, tmp_path: Path) -> None:
    """The same folder is refused; the same file for another folder is waited for, and fetched once."""
    hub.hold[LARGEST] = 1000
    first = start(hub, tmp_path, ["get", ID])
    assert hub.holding.wait(60)
    (refused,) = geco(hub, tmp_path, ["get", ID])
    assert refused.code == 2 and "another run is writing" in refused.line
    before = hub.reached()
    second = start(hub, tmp_path, ["get", ID, "-o", tmp_path / "other"])
    wait_until(lambda: hub.reached() == 2 * before)  # what it wants next are the files
    time.sleep(0.5)
    hub.hold.clear()
    hub.released.set()
    assert [done.code for process in (first, second) for done in ended(process)] == [0, 0]
    assert files_of(tmp_path / "other") == files_of(folder(tmp_path))
    assert len(hub.asked(LARGEST)) == 2  # by the first one, whose line broke after what was held


def test_a_card_that_cannot_be_read_is_damage_too(hub: Hub, tmp_path: Path) -> None:
    assert geco(hub, tmp_path, ["get", ID])[0].code == 0
    card = folder(tmp_path) / "config.json"
    card.unlink()  # the cache has the same file under another name
    card.write_text("{")
    done, again = geco(hub, tmp_path, ["get", ID], ["get", ID])
    assert done.code == 0 and "it is made again" in done.error, done.error
    assert again.error == f"{ID} is here and whole\n"


def test_another_place_is_kept_as_it_is(hub: Hub, tmp_path: Path) -> None:
    place = tmp_path / "mine"
    place.mkdir()
    (place / "config.json").write_text('{"model_type": "another"}')
    (done,) = geco(hub, tmp_path, ["get", ID, "-o", place])
    assert done.code == 2 and "config.json" in done.line
    assert [path.name for path in place.iterdir()] == ["config.json"]


def test_names_are_listed_and_unknown_ones_refused(hub: Hub, tmp_path: Path) -> None:
    listed, unknown, nowhere, used = geco(
        hub,
        tmp_path,
        ["get"],
        ["get", "instantmush"],
        ["get", "acme/nothing"],
        ["run", PICTURE, "--model", "nothing"],
    )
    assert listed.code == 0
    for product in PRODUCTS.values():
        assert product.name in listed.out and product.licence in listed.out and product.sizes() in listed.out
    assert unknown.code == 2 and "instantmesh-base" in unknown.line
    assert nowhere.code == 2 and "acme/nothing" in nowhere.line
    assert used.code == 2 and "geco get" in used.line
    assert left(tmp_path) == []


def test_commands_that_take_a_model_offer_it(hub: Hub, tmp_path: Path) -> None:
    for done in geco(hub, tmp_path, *([word, "--model", "instantmesh"] for word in ("serve", "info"))):
        assert done.code == 2 and "geco get instantmesh" in done.line, done.error


@pytest.mark.slow
def test_evaluation_and_training_offer_it_too(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "a.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    evaluate = ["evaluate", "--methods", "geco", "--objects", tmp_path, "--model", "instantmesh"]
    distill = ["distill", "stage1", "--data", "x", "--init", "instantmesh"]
    for done in geco(hub, tmp_path, *([*words, "-o", tmp_path / "y"] for words in (evaluate, distill))):
        assert done.code == 2 and "geco get instantmesh" in done.line, done.error
