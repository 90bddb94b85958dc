"""Which pictures a command line means, and what it says about the files that it passes over."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from geco.cli.pictures import NAMED, find_pictures
from geco.errors import InputImageError
from geco.images import load_picture
from tests.cli_command import SOURCE, geco
from tests.images.pictures import file_of
from tests.pictures import ball_picture

CASES = Path(__file__).parent.parent / "cases" / "bugs" / "run"


def test_a_folder_s_pictures_are_known_by_their_first_bytes() -> None:
    found = find_pictures([str(CASES / "phone")])
    assert [given.path.name for given in found.pictures] == ["IMG_1.jpg", "IMG_2.HEIC", "IMG_3.jfif"]
    assert not found.note()


def test_what_a_folder_holds_beside_pictures_is_counted_and_named(tmp_path: Path) -> None:
    ball_picture(32).save(tmp_path / "no_suffix", "PNG")
    ball_picture(32).convert("RGB").save(tmp_path / "LOUD.JPG", "JPEG")
    (tmp_path / "letter.png").write_text("its name says picture: tried, and it fails with a reason")
    (tmp_path / "letter.txt").write_text("no picture")
    (tmp_path / ".hidden.png").write_bytes(b"")
    (tmp_path / "below").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "lost.png").symlink_to(tmp_path / "nowhere")
    found = find_pictures([str(tmp_path)])
    assert [given.path.name for given in found.pictures] == [
        "LOUD.JPG",
        "letter.png",
        "lost.png",
        "no_suffix",
    ]
    assert {path.name for path, _ in found.skipped} == {"letter.txt", "below", "pipe.png"}
    assert found.note().startswith("3 entries passed over: ") and "letter.txt (no picture)" in found.note()


def test_a_long_list_of_what_was_passed_over_is_cut(tmp_path: Path) -> None:
    ball_picture(32).save(tmp_path / "a.png")
    for number in range(12):
        (tmp_path / f"{number:02d}.txt").write_text("x")
    assert find_pictures([str(tmp_path)]).note().count("no picture") == NAMED
    assert find_pictures([str(tmp_path)]).note().endswith("and 7 more")


@pytest.mark.parametrize(
    "name", ["", "  ", "https://example.org/toy.png", "file:///tmp/toy.png", "data:image/png;base64,AA"]
)
def test_a_name_that_can_be_no_file_gets_a_hint(name: str) -> None:
    with pytest.raises(InputImageError) as caught:
        find_pictures([name])
    assert caught.value.remedy and (not name.strip() or name in caught.value.problem)


def test_a_folder_without_pictures_is_refused_with_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("x")
    with pytest.raises(InputImageError, match=r"letter\.txt"):
        find_pictures([str(tmp_path)])


def from_standard_input(data: bytes, *arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "geco.cli.main", "run", "-", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    return subprocess.run(command, input=data, env=environment, capture_output=True, timeout=120)


def test_a_picture_comes_over_standard_input(tmp_path: Path) -> None:
    result = from_standard_input((CASES / "toy.png").read_bytes(), "-o", tmp_path)
    assert result.returncode == 0, result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["picture.glb"]


@pytest.mark.parametrize(
    ("data", "word"), [(b"", b"empty"), (b"no picture", b"standard input is not a picture")]
)
def test_standard_input_without_a_picture_is_refused(data: bytes, word: bytes, tmp_path: Path) -> None:
    result = from_standard_input(data, "-o", tmp_path)
    assert result.returncode == 2 and word in result.stderr and result.stderr.count(b"\n") == 1


def test_a_name_that_is_no_utf8_does_not_end_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    names = [b"caf\xe9.png", b"two\nlines.png", b"zebra.png"]
    for name in names:
        (folder / os.fsdecode(name)).write_bytes((CASES / "toy.png").read_bytes())
    (folder / os.fsdecode(b"\xff.png")).write_bytes(b"broken")
    result = geco("run", folder, "-o", tmp_path / "out", "--texture-size", "64", "--resolution", "24")
    assert result.returncode == 2
    assert sorted(os.listdir(os.fsencode(tmp_path / "out"))) == [
        name.replace(b".png", b".glb") for name in names
    ]
    assert r"caf\udce9.glb" in result.stdout and r"two\nlines.glb" in result.stdout
    assert len(result.stderr.splitlines()) == 2 and r"\udcff.png is not a picture" in result.stderr


def test_a_folder_goes_on_past_every_picture_that_defeated_it(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for case in (CASES / "brush.jpg", *sorted((CASES.parent.parent / "hostile").glob("picture-*"))):
        shutil.copy(case, folder / case.name)
    shutil.copy(CASES / "toy.png", folder / "zebra.png")
    result = geco("run", folder, "-o", tmp_path / "out", "--texture-size", "64", "--resolution", "24", "-q")
    made = {path.name for path in (tmp_path / "out").iterdir()}
    assert made == {"brush.glb", "picture-translucent.glb", "picture-16bit-grey.glb", "zebra.glb"}
    lines = result.stderr.splitlines()
    assert result.returncode == 2 and all(line.startswith("geco: ") for line in lines), result.stderr
    doubts = [line for line in lines if "cut-out is doubtful" in line]
    rest = [line for line in lines if line not in doubts]
    assert len(rest) == 3 and "picture-endless.eps (no picture)" in rest[0]
    assert "picture-broken.avif is damaged" in rest[1] and "picture-wide.jpg is too narrow" in rest[2]


def test_the_phone_s_folder_is_done_whole_and_quietly(tmp_path: Path) -> None:
    result = geco("run", CASES / "phone", "-o", tmp_path, "--texture-size", "64", "--resolution", "24", "-q")
    assert result.returncode == 0 and not result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["IMG_1.glb", "IMG_2.glb", "IMG_3.glb"]


WITHOUT_HEIC = """
import sys
sys.modules["pillow_heif"] = sys.modules["pi_heif"] = None  # as if neither were installed
from geco.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def test_heic_without_its_extra_is_named_with_what_installs_it(tmp_path: Path) -> None:
    (tmp_path / "IMG_2.HEIC").write_bytes(file_of(ball_picture(64), "HEIF"))
    shutil.copy(CASES / "toy.png", tmp_path / "toy.png")

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [
            sys.executable,
            "-c",
            WITHOUT_HEIC,
            "run",
            *map(str, arguments),
            "--texture-size",
            "64",
            "--resolution",
            "24",
            "-q",
        ]
        return subprocess.run(
            command,
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
            capture_output=True,
            text=True,
            timeout=120,
        )

    alone = run(tmp_path / "IMG_2.HEIC", "-o", tmp_path / "out")
    assert alone.returncode == 2 and "HEIC" in alone.stderr and "pip install 'geco3d[heic]'" in alone.stderr
    folder = run(tmp_path, "-o", tmp_path / "out")
    assert folder.returncode == 0 and "1 entry passed over: IMG_2.HEIC" in folder.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["toy.glb"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are POSIX")
def test_a_pipe_that_is_named_is_read_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputImageError, match="empty"):
        load_picture(tmp_path / "pipe")  # nobody writes to it
    data = (CASES / "toy.png").read_bytes()
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(data))
    # keeps the writer from waiting for its reader
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    writer.start()
    while not select.select([reader], [], [], 0.01)[0]:
        pass
    np.testing.assert_array_equal(load_picture(tmp_path / "pipe").rgba, load_picture(data).rgba)
    writer.join()
    os.close(reader)


def test_devices_are_no_pictures() -> None:
    with pytest.raises(InputImageError, match="no ordinary file"):
        load_picture("/dev/zero")
