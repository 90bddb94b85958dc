"""Archives that a stranger might send."""

from __future__ import annotations

import errno
import stat
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest

from geco.data.objects import Limits, load_object
from geco.errors import OutputError
from tests.data.hostile import good, reason


def packed(path: Path, entries: dict[str, bytes], **changes: Any) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            for field, value in changes.items():
                setattr(entry, field, value)
            archive.writestr(entry, data)
    return path


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["../a.glb"], "unsafe-archive"),
        (["x/../../a.glb", "b.glb"], "unsafe-archive"),
        (["/tmp/a.glb"], "unsafe-archive"),
        (["C:/a.glb"], "unsafe-archive"),
        (["..\\a.glb"], "unsafe-archive"),
        (["a.glb", "b.obj"], "several-objects"),
        (["readme.txt"], "empty"),
        (["inner.zip"], "empty"),
        (["__MACOSX/a.glb", ".hidden/b.glb"], "empty"),
        (["a.glb", "a.glb/b.txt"], "broken"),
        ([], "empty"),
    ],
)
def test_archives_that_lie(tmp_path: Path, names: list[str], expected: str) -> None:
    path = packed(tmp_path / "bad.zip", dict.fromkeys(names, good().encode()))
    assert reason(path) == expected
    assert sorted(each.name for each in tmp_path.rglob("*")) == ["bad.zip"]
    assert not (tmp_path.parent / "a.glb").exists()


def test_archives_with_links_and_locks(tmp_path: Path) -> None:
    link = packed(
        tmp_path / "link.zip",
        {"a.glb": b"/etc/passwd"},
        create_system=3,
        external_attr=(stat.S_IFLNK | 0o777) << 16,
    )
    assert reason(link) == "unsafe-archive"
    locked = bytearray(packed(tmp_path / "locked.zip", {"a.glb": good().encode()}).read_bytes())
    locked[locked.index(b"PK\1\2") + 8] |= 1
    (tmp_path / "locked.zip").write_bytes(locked)
    assert reason(tmp_path / "locked.zip") == "unsupported"
    strange = (
        packed(tmp_path / "strange.zip", {"a.glb": good().encode()})
        .read_bytes()
        .replace(b"\x08\0", b"\x63\0")
    )
    (tmp_path / "strange.zip").write_bytes(strange)
    assert reason(tmp_path / "strange.zip") == "unsupported"
    (tmp_path / "cut.zip").write_bytes(
        packed(tmp_path / "whole.zip", {"a.glb": good().encode()}).read_bytes()[:-30]
    )
    assert reason(tmp_path / "cut.zip") == "broken"


def test_zip_bombs(tmp_path: Path) -> None:
    limits = Limits(archive_bytes=1 << 20, archive_files=50)
    bomb = packed(tmp_path / "bomb.zip", {"a.glb": bytes(2 << 20)})
    assert bomb.stat().st_size < 1 << 14
    assert reason(bomb, limits) == "unsafe-archive"
    data = bytearray(bomb.read_bytes())  # the directory and the entry itself now say 100 bytes
    struct.pack_into("<I", data, data.index(b"PK\1\2") + 24, 100)
    struct.pack_into("<I", data, 22, 100)
    bomb.write_bytes(data)
    assert reason(bomb, limits) in ("unsafe-archive", "broken")
    crowd = packed(tmp_path / "crowd.zip", {f"{index}.txt": b"" for index in range(51)})
    assert reason(crowd, limits) == "unsafe-archive"


def test_too_many_open_files_are_not_the_objects_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any, **options: Any) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    path = good().save(tmp_path / "good.glb")
    assert len(load_object(path).faces) == 12
    monkeypatch.setattr("os.open", full)
    with pytest.raises(OutputError, match="Too many open files"):
        load_object(path)
