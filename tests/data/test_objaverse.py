"""Objaverse downloads by the real code, from a local server with a small tree of the same layout
that breaks on order.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from geco.cli import data_objaverse
from geco.data.fetch import OfflineError, Patience, RefusedError, fetch
from geco.data.objaverse import Selection, download
from geco.data.objects import find_objects
from geco.errors import ConfigError

QUICK = Patience(attempts=3, wait=0.01, timeout=5)
LICENCE = {"a": "by", "b": "by-nc", "c": "cc0", "d": "by-sa", "e": "by", "f": None}
UIDS = {name: name * 32 for name in LICENCE}


def glb(size: int) -> bytes:
    return struct.pack("<4sII", b"glTF", 2, size) + bytes(size - 12)


class Tree:
    """A local Objaverse: files by path, and how often each path breaks before it works."""

    def __init__(self) -> None:
        self.files = {
            f"glbs/000-00{i % 2}/{uid}.glb": glb(100 + 10 * i) for i, uid in enumerate(UIDS.values())
        }
        self.failures: Counter[str] = Counter()
        self.kinds: dict[str, int | str] = {}
        self.asked: list[str] = []
        paths = {path.split("/")[2][:-4]: path for path in self.files}
        notes: dict[str, dict[str, object]] = {"000-000": {}, "000-001": {}}
        for name, uid in UIDS.items():
            note = {
                "uid": uid,
                "name": f"thing {name}",
                "user": {"displayName": f"author {name}"},
                "archives": {"glb": {"size": None}},
            }
            if LICENCE[name]:
                note["license"] = LICENCE[name]
            notes[paths[uid].split("/")[1]][uid] = note
        self.pack("object-paths.json.gz", paths)
        self.pack(
            "lvis-annotations.json.gz",
            {"mug": [UIDS["a"], UIDS["b"]], "dog": [UIDS["c"], UIDS["d"], UIDS["f"]]},
        )
        for shard, content in notes.items():
            self.pack(f"metadata/{shard}.json.gz", content)

    def pack(self, path: str, content: object) -> None:
        self.files[path] = gzip.compress(json.dumps(content).encode())

    def path(self, name: str) -> str:
        return next(path for path in self.files if UIDS[name] in path)

    def breaks(self, path: str, kind: int | str, times: int = 1000) -> None:
        """kind: an HTTP status, "short" (the connection closes half way) or "drop" (no answer)."""
        self.failures[path], self.kinds[path] = times, kind


@pytest.fixture
def tree() -> Tree:
    return Tree()


@pytest.fixture
def server(tree: Tree) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.lstrip("/")
            tree.asked.append(path)
            kind = tree.kinds[path] if tree.failures[path] > 0 else None
            tree.failures[path] -= 1
            data = tree.files.get(path)
            if kind == "drop":
                self.close_connection = True
                return
            if data is None or isinstance(kind, int):
                self.send_error(kind if isinstance(kind, int) else 404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2] if kind == "short" else data)

        def log_message(self, *_: object) -> None:
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    running.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where lists of a mirror are kept."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    return tmp_path / "home"


def read(path: Path) -> tuple[dict[str, dict[str, object]], dict[str, str]]:
    content = json.loads(path.read_text())
    names = {uid: name for name, uid in UIDS.items()}
    return {names[entry["uid"]]: entry for entry in content["objects"]}, {
        names.get(uid, uid): reason for uid, reason in content["skipped"].items()
    }


def test_lvis_by_default_free_licences_only(tmp_path: Path, server: str, tree: Tree) -> None:
    objects, skipped = read(download(tmp_path / "out", base_url=server, patience=QUICK))
    assert set(objects) == {"a", "c", "d"}  # e is not in LVIS
    assert skipped == {"b": "licence-by-nc", "f": "licence-unknown"}
    for name, entry in objects.items():
        data = (tmp_path / "out" / str(entry["file"])).read_bytes()
        assert data == tree.files[tree.path(name)]
        assert entry["sha256"] == hashlib.sha256(data).hexdigest() and entry["bytes"] == len(data)
        assert entry["author"] == f"author {name}" and UIDS[name] in str(entry["source"])
    assert objects["c"]["licence"] == "CC0-1.0" and objects["c"]["category"] == "dog"
    assert not any(tree.path("b") == path for path in tree.asked)  # never even asked for
    found = find_objects(tmp_path / "out")
    assert {source.key.partition("_")[2] for source in found} == {UIDS[name] for name in objects}
    assert {source.licence for source in found} == {"CC-BY-4.0", "CC0-1.0", "CC-BY-SA-4.0"}


def test_second_call_downloads_nothing_and_writes_the_same(tmp_path: Path, server: str, tree: Tree) -> None:
    manifest = download(tmp_path / "out", base_url=server, patience=QUICK)
    first, asked = manifest.read_bytes(), len(tree.asked)
    assert download(tmp_path / "out", base_url=server, patience=QUICK).read_bytes() == first
    assert len(tree.asked) == asked  # the lists too are kept


def test_goes_on_after_a_stop_and_adopts_files_without_an_entry(
    tmp_path: Path, server: str, tree: Tree
) -> None:
    whole = download(tmp_path / "whole", base_url=server, patience=QUICK).read_bytes()
    tree.breaks(tree.path("d"), 503)
    with pytest.raises(OfflineError, match="503"):
        download(tmp_path / "out", base_url=server, patience=QUICK, workers=1)
    objects, _ = read(tmp_path / "out" / "manifest.json")
    assert "d" not in objects
    (tmp_path / "out" / "manifest.json").unlink(missing_ok=True)  # as if the process had been killed
    tree.failures.clear()
    tree.asked.clear()
    assert download(tmp_path / "out", base_url=server, patience=QUICK).read_bytes() == whole
    assert tree.path("d") in tree.asked and not any(tree.path(name) in tree.asked for name in objects)


@pytest.mark.parametrize("kind", [503, 429, "short", "drop"])
def test_a_server_that_stumbles_is_asked_again(
    tmp_path: Path, server: str, tree: Tree, kind: int | str
) -> None:
    tree.breaks(tree.path("a"), kind, times=2)
    tree.breaks("object-paths.json.gz", kind, times=1)
    objects, _ = read(download(tmp_path / "out", base_url=server, patience=QUICK))
    assert set(objects) == {"a", "c", "d"}
    assert tree.asked.count(tree.path("a")) == 3
    assert not list((tmp_path / "out").rglob(".*"))  # no half files


def test_limits_and_uids(tmp_path: Path, server: str, tree: Tree) -> None:
    del tree.files[tree.path("e")]
    objects, skipped = read(
        download(
            tmp_path / "out",
            Selection([UIDS["e"], UIDS["d"], UIDS["c"], "0" * 32], max_bytes=125),
            base_url=server,
            patience=QUICK,
        )
    )
    assert set(objects) == {"c"}
    assert skipped == {"e": "missing", "d": "too-large", "0" * 32: "unknown-uid"}
    objects, _ = read(download(tmp_path / "two", Selection(limit=2), base_url=server, patience=QUICK))
    assert len(objects) == 2
    objects, _ = read(
        download(tmp_path / "nc", Selection(licences=["by-nc"]), base_url=server, patience=QUICK)
    )
    assert set(objects) == {"b"}


def test_a_file_that_is_no_glb_is_left_out(tmp_path: Path, server: str, tree: Tree) -> None:
    tree.files[tree.path("a")] = b"<html>sorry</html>"
    objects, skipped = read(download(tmp_path / "out", base_url=server, patience=QUICK))
    assert set(objects) == {"c", "d"} and skipped["a"] == "broken"
    assert not list((tmp_path / "out").rglob(f"{UIDS['a']}*"))


PLACES = [
    *(
        "glbs/../../victim.txt",
        "../victim.txt",
        "/etc/victim",
        "glbs/000-000/../../../victim.txt",
        "glbs/000-000/x.glb",
    ),
    *(
        "metadata/000-000.json.gz",
        "glbs/000-000/" + "b" * 32 + ".glb",
        "",
        7,
        None,
        ["glbs"],
        "glbs/000-000\n/x.glb",
    ),
]


@pytest.mark.parametrize("place", PLACES)
def test_a_list_names_no_place_but_an_objects_own(
    tmp_path: Path, server: str, tree: Tree, place: object
) -> None:
    (tmp_path / "victim.txt").write_text("mine")
    mine = tmp_path / "out" / "deep" / "victim.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    paths = {UIDS[name]: tree.path(name) for name in "cd"} | {UIDS["a"]: place}
    tree.pack("object-paths.json.gz", paths)
    objects, skipped = read(download(tmp_path / "out" / "deep", base_url=server, patience=QUICK))
    assert set(objects) == {"c", "d"} and skipped["a"] == "unsafe-path"
    assert mine.read_text() == (tmp_path / "victim.txt").read_text() == "mine"
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {".txt", ".glb", ".json", ".gz"}


def test_a_file_that_is_none_of_ours_stays(tmp_path: Path, server: str, tree: Tree) -> None:
    place = tmp_path / "out" / tree.path("a").removeprefix("glbs/")
    place.parent.mkdir(parents=True)
    place.write_text("my notes")
    objects, skipped = read(download(tmp_path / "out", base_url=server, patience=QUICK))
    assert set(objects) == {"c", "d"} and skipped["a"] == "occupied" and place.read_text() == "my notes"


NOTES: list[object] = [
    None,
    7,
    "text",
    [],
    {},
    {"license": ["by"]},
    {"license": "by", "user": 3, "name": {}, "archives": "x"},
]
NOTES += [{"license": "by", "name": "\ud800", "x": float("nan")}]
NOTES += [{"license": "by", "archives": {"glb": {"size": "big"}}}, {"license": "../x"}]


@pytest.mark.parametrize("note", NOTES)
def test_annotations_of_any_kind_cost_their_object_at_most(
    tmp_path: Path, server: str, tree: Tree, note: object
) -> None:
    shard = tree.path("a").split("/")[1]
    content = json.loads(gzip.decompress(tree.files[f"metadata/{shard}.json.gz"]))
    tree.pack(f"metadata/{shard}.json.gz", {**content, UIDS["a"]: note})
    objects, skipped = read(download(tmp_path / "out", base_url=server, patience=QUICK))
    assert {"c", "d"} <= set(objects) and ("a" in objects) != ("a" in skipped)
    assert skipped.get("a", "no-annotation") in ("no-annotation", "licence-unknown")


@pytest.mark.parametrize("content", [b"[]", b"7", b"[" * 100_000, b"\xff"])
def test_lists_that_are_none_are_said(tmp_path: Path, server: str, tree: Tree, content: bytes) -> None:
    tree.files["object-paths.json.gz"] = gzip.compress(content)
    with pytest.raises(ConfigError, match=r"object-paths\.json\.gz"):
        download(tmp_path / "out", base_url=server, patience=QUICK)


ENTRY = {"uid": "a" * 32, "file": "000-000/" + "a" * 32 + ".glb", "bytes": 5, "sha256": "0" * 64}
WRONG = [
    {"file": "../../x.glb"},
    {"uid": "../a"},
    {"bytes": "5"},
    {"sha256": 0},
    {"file": "000-000/" + "b" * 32 + ".glb"},
]


@pytest.mark.parametrize("change", WRONG)
def test_a_manifest_names_no_place_but_an_objects_own(
    tmp_path: Path, server: str, change: dict[str, object]
) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"objects": [ENTRY | change], "skipped": {}}))
    with pytest.raises(ConfigError, match="not a manifest of Objaverse"):
        download(tmp_path, base_url=server, patience=QUICK)


def test_half_a_list_in_the_cache_is_fetched_again(
    tmp_path: Path, server: str, tree: Tree, home: Path
) -> None:
    cache = home / ".objaverse" / "hf-objaverse-v1"
    for name in ("object-paths.json.gz", "metadata/000-000.json.gz"):
        (cache / name).parent.mkdir(parents=True, exist_ok=True)
        (cache / name).write_bytes(tree.files[name][:40])
    objects, _ = read(download(tmp_path / "out", base_url=server, patience=QUICK))
    assert set(objects) == {"a", "c", "d"}


def test_offline_says_what_to_do(tmp_path: Path, home: Path) -> None:
    with pytest.raises(OfflineError) as caught:
        download(tmp_path / "out", base_url="http://127.0.0.1:9", patience=QUICK)
    assert "object-paths.json.gz" in caught.value.problem
    assert "geco data procedural" in caught.value.remedy and str(home) in caught.value.remedy


def test_a_manifest_of_something_else_is_not_overwritten(tmp_path: Path, server: str) -> None:
    (tmp_path / "manifest.json").write_text('{"objects": [{"file": "x.glb"}]}')
    with pytest.raises(ConfigError, match="not a manifest of Objaverse"):
        download(tmp_path, base_url=server, patience=QUICK)
    assert "x.glb" in (tmp_path / "manifest.json").read_text()


def test_unknown_licence_codes_are_refused() -> None:
    with pytest.raises(ConfigError, match="gpl"):
        Selection(licences=["by", "gpl"])
    with pytest.raises(ConfigError, match="at least 1"):
        Selection(limit=0)


def test_fetch_hashes_refuses_and_waits_longer_each_time(tmp_path: Path, server: str, tree: Tree) -> None:
    tree.files["x"] = bytes(range(256)) * 4096
    assert fetch(f"{server}/x", tmp_path / "x", QUICK) == hashlib.sha256(tree.files["x"]).hexdigest()
    with pytest.raises(RefusedError) as caught:
        fetch(f"{server}/x", tmp_path / "y", QUICK, limit=1000)
    assert caught.value.reason == "too-large" and not (tmp_path / "y").exists()
    tree.breaks("x", 403)
    tree.asked.clear()
    with pytest.raises(RefusedError, match="403"):
        fetch(f"{server}/x", tmp_path / "y", QUICK)
    assert tree.asked == ["x"]  # a refusal is not asked again
    pauses = [Patience(wait=1, longest=20).pause(k) for k in range(8)]
    assert pauses[0] <= 1.25 and 3 <= pauses[2] <= 5 and pauses[-1] == 20
    assert Patience(longest=20).pause(0, asked=7) == 7


def test_command(tmp_path: Path, server: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    data_objaverse.add(parser.add_subparsers())
    (tmp_path / "uids.txt").write_text(f"{UIDS['a']}.glb\n\n{UIDS['b']}\n")
    options = parser.parse_args(
        [
            "objaverse",
            "-o",
            str(tmp_path / "out"),
            "--uids",
            str(tmp_path / "uids.txt"),
            "--url",
            server,
            "--limit",
            "5",
        ]
    )
    assert options.function(options) == 0
    printed = capsys.readouterr().out
    assert "1 objects" in printed and "left out, licence-by-nc: 1" in printed
