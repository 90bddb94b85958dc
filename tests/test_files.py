"""Files are whole or not there, never wider in their rights, and what a killed writer left is swept."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geco.errors import OutputError
from geco.files import ABANDONED, atomic_path, atomic_write, is_leftover, sweep, sweep_below
from tests.cli_command import SOURCE

posix = pytest.mark.skipif(sys.platform == "win32", reason="rights and signals of POSIX")


class Broken(Exception):
    """Not one of the system's."""


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@contextlib.contextmanager
def umask(value: int):  # type: ignore[no-untyped-def]
    before = os.umask(value)
    try:
        yield
    finally:
        os.umask(before)


@given(
    st.lists(st.tuples(st.binary(max_size=40), st.sampled_from(["", "before", "half", "full"])), max_size=8)
)
@settings(max_examples=60, deadline=None)
def test_a_file_is_old_or_new_whatever_happens_while_it_is_written(writes: list[tuple[bytes, str]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        path, expected = Path(name) / "a.bin", None
        for data, failure in writes:
            try:
                with atomic_path(path) as temporary:
                    if failure == "before":
                        raise Broken
                    temporary.write_bytes(data[: len(data) // 2])
                    if failure == "half":
                        raise KeyboardInterrupt
                    if failure == "full":
                        raise OSError(28, "No space left on device")
                    temporary.write_bytes(data)
                expected = data
            except (Broken, KeyboardInterrupt):
                pass
            except OutputError as error:
                assert failure == "full" and "No space left" in str(error) and str(path) in str(error)
            assert (path.read_bytes() if path.exists() else None) == expected
            assert list(path.parent.iterdir()) == ([] if expected is None else [path])


@posix
@given(
    st.sampled_from([None, 0o600, 0o640, 0o644, 0o660, 0o666, 0o604, 0o755]),
    st.sampled_from([0, 0o002, 0o022, 0o027, 0o077]),
)
@settings(max_examples=40, deadline=None)
def test_rights_never_widen(before: int | None, mask: int) -> None:
    with tempfile.TemporaryDirectory() as name, umask(mask):
        path = Path(name) / "a.bin"
        if before is not None:
            path.touch()
            path.chmod(before)
        with atomic_path(path) as temporary:
            meanwhile = mode_of(temporary)
            temporary.write_bytes(b"new")
        assert mode_of(path) == (0o666 & ~mask if before is None else before)
        assert meanwhile & ~(0o600 | mode_of(path)) == 0, f"{meanwhile:o} while it was written"


@posix
def test_threads_that_write_at_once_do_not_touch_the_umask(tmp_path: Path) -> None:
    """The race was one file in a thousand, writable for everybody; 8 threads write about two
    thousand here.
    """
    stop, modes = time.monotonic() + 1.0, set()

    def work(number: int) -> None:
        path = tmp_path / f"{number}.bin"
        while time.monotonic() < stop:
            atomic_write(path, b"x")
            modes.add(mode_of(path))

    with umask(0o022):
        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert os.umask(0o022) == 0o022
    assert modes == {0o644}


@posix
def test_a_link_stays_a_link_and_what_it_points_to_becomes_new(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    real, link, dangling = tmp_path / "store" / "real.bin", tmp_path / "link.bin", tmp_path / "dangling.bin"
    real.write_bytes(b"old")
    link.symlink_to(real)
    dangling.symlink_to(Path("store") / "new.bin")
    torn = abandoned(tmp_path / "store")
    atomic_write(link, b"new")
    atomic_write(dangling, b"made")
    assert link.is_symlink() and real.read_bytes() == b"new"
    assert dangling.is_symlink() and (tmp_path / "store" / "new.bin").read_bytes() == b"made"
    assert not torn.exists() and sorted(p.name for p in (tmp_path / "store").iterdir()) == [
        "new.bin",
        "real.bin",
    ]


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write everything")
def test_a_write_protected_file_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"precious")
    path.chmod(0o444)
    with pytest.raises(OutputError, match="write-protected"):
        atomic_write(path, b"new")
    assert path.read_bytes() == b"precious"


def abandoned(folder: Path, process: int = 2**22 + 5) -> Path:
    """What a killed process leaves: its number is larger than Linux gives any."""
    path = folder / f".mesh-{process}.0a1b2c3d.part.glb"
    path.write_bytes(b"half")
    return path


def test_only_leftovers_are_swept(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    kept = [
        tmp_path / name
        for name in (".hidden", ".mesh-x.0a1b2c3d.part.glb", "mesh-1.0a1b2c3d.part.glb", ".git-1.part")
    ]
    for path in kept:
        path.write_bytes(b"a user's")
    torn, deep, ours = abandoned(tmp_path), abandoned(tmp_path / "below"), abandoned(tmp_path, os.getpid())
    assert is_leftover(torn.name) and not any(is_leftover(path.name) for path in kept)
    assert sweep(tmp_path) == 1 and not torn.exists() and deep.exists()
    assert ours.exists(), "its writer is alive"
    assert sweep_below(tmp_path) == 1 and not deep.exists()
    old = time.time() - 2 * ABANDONED
    os.utime(ours, (old, old))
    assert sweep(tmp_path) == 1, "nobody holds it, and it is older than a day: the number was given again"
    assert all(path.exists() for path in kept)
    assert sweep(tmp_path / "nowhere") == 0


@posix
def test_the_file_of_a_living_writer_stays_until_it_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time; from geco.files import atomic_path\n"
        "with atomic_path(sys.argv[1]) as p: p.write_bytes(b'half'); print('on', flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    command = [sys.executable, "-c", code, str(tmp_path / "a.bin")]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None and writer.stdout.readline() == b"on\n"
        (half,) = tmp_path.iterdir()
        old = time.time() - 2 * ABANDONED
        os.utime(half, (old, old))
        assert sweep(tmp_path) == 0, "it holds the lock, however old it is"
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    assert sweep(tmp_path) == 1 and not list(tmp_path.iterdir())


@posix
def test_a_full_disk_is_our_error_whoever_writes(tmp_path: Path) -> None:
    """torch and safetensors raise no OSError; a bound on the size of files stands in for the disk."""
    code = """
import io, resource, sys
from pathlib import Path
import numpy as np, torch
from PIL import Image
from geco.errors import OutputError
from geco.files import atomic_path, atomic_write
from geco.training.record import Record
from geco.training.state import save_checkpoint
from geco.model_files.folder import write_folder
folder = Path(sys.argv[1])
many = torch.randn(100_000)
record = Record(folder, quiet=True)
record._append({"step": 1})
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000,) * 2)
def image():
    with atomic_path(folder / "a.png") as path:
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (300, 300), np.uint8)).save(path)
def array():
    with atomic_path(folder / "a.npy") as path:
        np.save(path, many.numpy())
jobs = [image, array, lambda: atomic_write(folder / "a.bin", bytes(20_000)),
        lambda: save_checkpoint(folder / "c.pt", {"a": many}),
        lambda: write_folder(folder / "w", {"format": "x", "licence": "x"}, {"a": {"t": many}}),
        lambda: record._append({"step": 2, "text": "x" * 20_000})]
for job in jobs:
    try:
        job()
    except OutputError as error:
        assert str(folder) in str(error), error
    else:
        raise SystemExit(f"{job} wrote what cannot be written")
"""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["log.jsonl"]
    assert (tmp_path / "log.jsonl").read_text() == '{"step": 1}\n', "no half line"


def test_a_writing_into_a_crowded_folder_looks_at_a_part_of_it(tmp_path: Path) -> None:
    """Else a run of many results would list its folder as often as it has files."""
    for number in range(30):
        (tmp_path / f".old{number}-4194399.01234567.part.glb").touch()
    assert sweep(tmp_path, 10) <= 10
    assert sweep(tmp_path) >= 20 and not list(tmp_path.iterdir())
