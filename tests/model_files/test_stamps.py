"""A large file is hashed once, and again as soon as anything about it has changed."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from geco.errors import WeightsError
from geco.foreign import Fields
from geco.model_files import stamps
from geco.model_files.manifest import Manifest, entry
from geco.model_files.stamps import refresh, whole_digest
from geco.reading import sha256_of


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file that counts as large, changed some time ago; notes go into a cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(stamps, "LARGE", 1000)
    monkeypatch.setattr(stamps, "SETTLED", -1.0)
    path = tmp_path / "weights.safetensors"
    path.write_bytes(bytes(range(256)) * 8)
    yield path


def readings(path: Path, monkeypatch: pytest.MonkeyPatch, fresh: bool = False) -> int:
    """How often a look at the file read it."""
    count = []
    monkeypatch.setattr(stamps, "sha256_of", lambda p: count.append(p) or sha256_of(p))
    assert whole_digest(path, fresh) == sha256_of(path)
    return len(count)


def test_a_large_file_is_read_once(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [readings(large, monkeypatch) for _ in range(3)] == [1, 0, 0]
    assert readings(large, monkeypatch, fresh=True) == 1


def test_a_small_file_is_read_every_time_and_leaves_no_note(
    large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stamps, "LARGE", 10_000)
    assert [readings(large, monkeypatch) for _ in range(2)] == [1, 1]
    assert not (tmp_path / "cache").exists()


def test_a_byte_changed_with_size_and_time_kept_is_found(
    large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = {"files": {large.name: entry(large)}}
    Manifest(Fields(card, "card", WeightsError)).check(large)
    before = large.stat()
    data = bytearray(large.read_bytes())
    data[700] ^= 1
    with large.open("r+b") as file:
        file.write(data)
    os.utime(large, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (large.stat().st_size, large.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    with pytest.raises(WeightsError, match="is damaged"):
        Manifest(Fields(card, "card", WeightsError)).check(large)


@pytest.mark.parametrize("change", ["copied", "moved", "replaced", "touched"])
def test_another_file_in_its_place_is_read(large: Path, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    assert readings(large, monkeypatch) == 1
    path = large
    if change == "copied":
        path = Path(shutil.copy2(large, large.with_name("copy")))
    elif change == "moved":
        path = large.rename(large.with_name("other"))
    elif change == "replaced":
        shutil.copy2(large, large.with_name("new"))
        os.replace(large.with_name("new"), large)
    else:
        os.utime(large)
    assert readings(path, monkeypatch) == 1


def test_a_note_is_not_believed_for_ever_nor_when_it_is_damaged(
    large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert readings(large, monkeypatch) == 1
    (note,) = (tmp_path / "cache" / "geco" / "checked").iterdir()
    old = time.time() - (stamps.DAYS + 1) * 86_400
    os.utime(note, (old, old))
    assert [readings(large, monkeypatch) for _ in range(2)] == [1, 0]
    for damage in (b"", b"[]", b"{}", b"\xff", b'{"sha256": 3}'):
        note.write_bytes(damage)
        assert readings(large, monkeypatch) == 1


def test_a_file_that_has_just_changed_is_not_noted(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stamps, "SETTLED", 60.0)
    assert [readings(large, monkeypatch) for _ in range(2)] == [1, 1]


def test_without_a_cache_it_is_read_every_time(
    large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_text("no folder")
    assert [readings(large, monkeypatch) for _ in range(2)] == [1, 1]


def test_what_training_starts_from_is_hashed_anew(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert readings(large, monkeypatch) == 1
    count = []
    monkeypatch.setattr(stamps, "sha256_of", lambda p: count.append(p) or sha256_of(p))
    refresh(large.parent)
    assert count == [large]
    assert readings(large, monkeypatch) == 0
