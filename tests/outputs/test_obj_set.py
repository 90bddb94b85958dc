"""An OBJ, its material and its texture are new together or old together, and nothing of anybody
else is touched.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from geco.errors import OutputError
from geco.marks import Source, mark_text
from geco.mesh.export import About, encode, save
from tests.outputs.build import coloured

ROOT = Path(__file__).parents[2]
WRITER = """
import sys
from geco.mesh.export import About, save
from tests.outputs.build import coloured
path, colours = sys.argv[1], [int(colour) for colour in sys.argv[2:]]
meshes = [coloured(colour, 5000) for colour in colours]
print("ready", flush=True)
sys.stdin.readline()
for colour, mesh in zip(colours, meshes):
    save(mesh, path, about=About("toy", extras={"colour": colour}))
"""


def colours(path: Path) -> tuple[int, int]:
    """What the OBJ says it is, and the grey of the texture that it names."""
    text = path.read_text()
    told = int(re.search(r'"colour":(\d+)', text)[1])  # type: ignore[index]
    material = path.with_name(re.search(r"^mtllib (.+)$", text, re.MULTILINE)[1])  # type: ignore[index]
    picture = re.search(r"^map_Kd (.+)$", material.read_text(), re.MULTILINE)[1]  # type: ignore[index]
    with Image.open(path.with_name(picture)) as image:
        return told, image.getpixel((5, 5))[0]  # type: ignore[index, return-value]


def writer(path: Path, *greys: int) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-c", WRITER, str(path), *map(str, greys)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def start(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_kill_nine_at_any_moment_leaves_the_old_set_or_the_new_one(tmp_path: Path) -> None:
    path, rng, seen = tmp_path / "a.obj", random.Random(0), set()
    save(coloured(40), path, about=About("toy", extras={"colour": 40}))
    for turn in range(4):
        greys = [100 + 20 * turn + step for step in range(0, 20, 4)]  # five sets one after the other
        process = writer(path, *greys)
        start(process)
        time.sleep(rng.random() * 0.25)
        process.kill()
        process.communicate()
        told, grey = colours(path)
        assert abs(told - grey) <= 2
        seen.add(told)
    assert len(seen) > 1, "every kill came before the first set was written"
    save(coloured(7), path, about=About("toy", extras={"colour": 7}))
    assert len(names(tmp_path)) == 3, f"what killed writers left is still there: {names(tmp_path)}"


def test_two_writers_at_once_do_not_mix(tmp_path: Path) -> None:
    """They take turns with the same two colours, so each deletes what the other is about to name,
    were it not for the lock.
    """
    path = tmp_path / "a.obj"
    processes = [writer(path, *greys) for greys in ([40, 200] * 3, [200, 40] * 3)]
    for process in processes:
        start(process)
    while any(process.poll() is None for process in processes):
        if path.exists():
            try:
                told, grey = colours(path)
            except FileNotFoundError:
                # replaced between the reading of the OBJ and of its texture, which is this reader's race
                continue
            assert abs(told - grey) <= 2
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    told, grey = colours(path)
    assert abs(told - grey) <= 2 and len(names(tmp_path)) == 3


def test_the_old_set_goes_with_its_obj_unless_another_file_names_it(tmp_path: Path) -> None:
    first = [path.name for path in save(coloured(40), tmp_path / "a.obj", about=About("toy"))]
    assert names(tmp_path) == sorted(first)
    save(
        coloured(40), tmp_path / "b.obj", about=About("toy")
    )  # the same content: the same material and texture
    assert names(tmp_path) == sorted([*first, "b.obj"])
    second = [path.name for path in save(coloured(200), tmp_path / "a.obj", about=About("toy"))]
    assert names(tmp_path) == sorted({*first, *second, "b.obj"})  # b.obj names the first set
    third = [path.name for path in save(coloured(99), tmp_path / "b.obj", about=About("toy"))]
    assert names(tmp_path) == sorted({*second, *third})
    # A program that took only our texture into its own material.
    (tmp_path / "mine.mtl").write_text(f"newmtl mine\nmap_Kd {second[2]}\n")
    fourth = [path.name for path in save(coloured(7), tmp_path / "a.obj", about=About("toy"))]
    assert names(tmp_path) == sorted({*third, *fourth, second[2], "mine.mtl"})


def test_an_obj_of_another_name_takes_its_own_set_along(tmp_path: Path) -> None:
    save(coloured(40), tmp_path / "a.obj", about=About("cat"))
    written = [path.name for path in save(coloured(40), tmp_path / "a.obj", about=About("dog"))]
    assert names(tmp_path) == sorted(written)


def test_files_that_are_not_ours_are_never_written_over_or_deleted(tmp_path: Path) -> None:
    _, material, picture = encode(coloured(40), "obj", about=About("toy"))
    (tmp_path / picture).write_bytes(b"mine")
    (tmp_path / material).mkdir()
    for name in ("toy-11111111.jpg", "toy-22222222.mtl", "toy.mtl", "toy.jpg"):
        (tmp_path / name).write_bytes(b"mine as well")
    os.symlink(tmp_path / "toy.jpg", tmp_path / "toy-33333333.jpg")
    before = set(names(tmp_path))
    for grey in (40, 200, 40):
        save(coloured(grey), tmp_path / "a.obj", about=About("toy", extras={"colour": grey}))
        told, seen = colours(tmp_path / "a.obj")
        assert abs(told - seen) <= 2
    assert before < set(names(tmp_path)) and len(names(tmp_path)) == len(before) + 3
    assert (tmp_path / picture).read_bytes() == b"mine" and (
        tmp_path / "toy.jpg"
    ).read_bytes() == b"mine as well"


def test_an_obj_that_is_a_link_stays_one_and_its_set_lies_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    save(coloured(40), tmp_path / "real" / "b.obj", about=About("toy", extras={"colour": 40}))
    (tmp_path / "a.obj").symlink_to(tmp_path / "real" / "b.obj")
    save(coloured(200), tmp_path / "a.obj", about=About("toy", extras={"colour": 200}))
    told, seen = colours(tmp_path / "real" / "b.obj")
    assert abs(told - seen) <= 2 and told == 200 and (tmp_path / "a.obj").is_symlink()
    assert names(tmp_path) == ["a.obj", "real"] and len(names(tmp_path / "real")) == 3


def test_nothing_new_is_left_when_the_obj_cannot_be_written(tmp_path: Path) -> None:
    save(coloured(40), tmp_path / "a.obj", about=About("toy"))
    before = names(tmp_path)
    (tmp_path / "b.obj").mkdir()
    with pytest.raises(OutputError, match="folder"):
        save(coloured(200), tmp_path / "b.obj", about=About("toy"))
    with pytest.raises(OutputError):
        save(coloured(200), tmp_path / "a.obj" / "b.obj", about=About("toy"))
    assert names(tmp_path) == sorted([*before, "b.obj"])


def test_what_a_killed_writer_left_is_swept_and_what_others_left_is_not(tmp_path: Path) -> None:
    orphan = f"# {mark_text('material', Source('toy.png'))}\nnewmtl toy\n"
    (tmp_path / "toy-0123abcd.mtl").write_text(orphan)
    (tmp_path / "cat-0123abcd.mtl").write_text(orphan)  # of another object: its own next run's business
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True
    )
    (tmp_path / f".toy-{int(dead.stdout)}.0123abcd.part.obj").write_text("half")
    (tmp_path / f".toy-{os.getpid()}.0123abcd.part.txt").write_text("the user's own")
    os.utime(tmp_path / f".toy-{os.getpid()}.0123abcd.part.txt")
    written = [path.name for path in save(coloured(40), tmp_path / "toy.obj", about=About("toy"))]
    assert names(tmp_path) == sorted([*written, "cat-0123abcd.mtl", f".toy-{os.getpid()}.0123abcd.part.txt"])
