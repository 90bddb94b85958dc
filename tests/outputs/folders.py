"""Folders as people have them, and worse, through the real finding, planning and writing of ``geco run``.

``python -m tests.outputs.folders --count 1000 --seed 0`` prints one JSON line. The judge knows nothing of the
planner: it compares the bytes of every file before and after.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import tempfile
import unicodedata
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from geco.cli.pictures import Found, Given, find_pictures
from geco.errors import GecoError, InputImageError, OutputError
from geco.files import atomic_write, sweep
from geco.images import STEPS
from geco.marks import Source, digest_of, mark_text, read_mark
from geco.mesh import Mesh
from geco.mesh.export import About, object_name, save
from geco.outputs import Job, Wanted, plan

STEMS = [
    *("cat", "Cat", "CAT", "cat ", " cat", "c at", "cat-views", "cat-png", "cat-jpg", "cat-seed0"),
    *("cat-seed1-views", "turn", "turn-cat", "cutout", "alpha", "prepared", "views-0", "toy #1", "it's"),
    *('say "hi"', "a&b;c", "$(rm)", "100%", "-rf", "--help", "two\nlines", "tab\there", "cat.png", "cat.glb"),
    *(
        "caf\u00e9",
        "cafe\u0301",
        "CAF\u00c9",
        "stra\u00dfe",
        "STRASSE",
        "\u6a21\u578b",
        ".",
        "..",
        "...",
        "dot.",
    ),
    *("x" * 251, "x" * 240 + "y", "\u00e9" * 125, os.fsdecode(b"caf\xe9"), os.fsdecode(b"\xff\xfe")),
]
SUFFIXES = [".png", ".PNG", ".jpg", ".JPG", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ""]
FORMATS = ["glb", "obj", "ply", "stl", "usdz", "3mf"]
TRIANGLE = Mesh(np.eye(3, dtype=np.float32), np.array([[0, 1, 2]]), uvs=np.eye(3, 2, dtype=np.float32))
PNG = b"\x89PNG\r\n\x1a\n"  # enough for the finding of pictures, which looks at no more


REASONS = (
    *("is an input", "is the input", "twice", "another input", "is not a result", "a folder", "not a mesh"),
    *("into the one file", "too long", "cannot write into"),
)


@dataclass
class Trial:
    """What became of one folder.

    Attributes:
        outcome: "written", "refused", or "no picture".
        pictures: how many were found; files: how many were written; why: of a refusal, in words.
    """

    outcome: str
    pictures: int = 0
    files: int = 0
    why: str = ""


def trial(seed: int, root: Path) -> Trial:
    """One folder: made, planned, written, judged; AssertionError where something was lost, mixed
    or taken for an input.
    """
    rng = random.Random(seed)
    before_dir = os.getcwd()
    root.mkdir(parents=True)
    os.chdir(root)
    try:
        sources = _furnish(rng, root)
        wanted = _wanted(rng, root)
        _place_obstacles(rng, sources, wanted)
        return _run_and_judge(sources, wanted, rng)
    finally:
        os.chdir(before_dir)


def _furnish(rng: random.Random, root: Path) -> list[str]:
    """Pictures in up to three folders, nested; with links, hard links, hidden leftovers and
    foreign files among them.
    """
    folders = [root / "in"]
    for name in rng.sample(["a", "A ", "in", "cat"], rng.randint(0, 2)):
        folders.append(rng.choice(folders) / name)
    for folder in folders:  # before the pictures, whose names are some of theirs
        folder.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []
    for folder in folders:
        for _ in range(rng.randint(1, 5)):
            path = folder / (rng.choice(STEMS[:16] if rng.random() < 0.6 else STEMS) + rng.choice(SUFFIXES))
            if os.path.lexists(path) or len(os.fsencode(path.name)) > 255:
                continue
            if made and rng.random() < 0.15:
                path.symlink_to(rng.choice(made))
            elif made and rng.random() < 0.1:
                os.link(os.path.realpath(rng.choice(made)), path)
            else:
                path.write_bytes(PNG + f"{path.name!r} {rng.random()}".encode("utf-8", "backslashreplace"))
            made.append(path)
    (folders[0] / ".cat-99999999.0123abcd.part.glb").write_bytes(b"half")
    chosen = [str(folder) for folder in rng.sample(folders, rng.randint(1, len(folders)))]
    chosen += [str(path) for path in rng.sample(made, min(len(made), rng.randint(0, 2)))]
    return rng.sample(chosen, len(chosen))


def _wanted(rng: random.Random, root: Path) -> Wanted:
    folders = [None, "in", "in/", "out", "out/a", "results_v1.2/", "."]
    output = rng.choice(folders * 3 + ["in/cat.glb", "in/cat.png", "one.obj", "in/x.PLY", "in/cat/x.stl"])
    return Wanted(
        output=output,
        format=rng.choice([None, *FORMATS])
        if output is None or not Path(output).suffix or "v1.2" in output
        else None,
        seeds=range(rng.choice([1, 1, 2])),
        views=rng.random() < 0.6,
        turntable=rng.choice(
            [None, None, "turn.gif", "in/turn.png", "in/cat.png", "in/cat-views.png", "out/deep/turn.mp4"]
        ),
        steps=rng.choice([None, None, "steps", "in", "in/a", "."]),
        overwrite=rng.random() < 0.3,
    )


def _place_obstacles(rng: random.Random, sources: list[str], wanted: Wanted) -> None:
    """Where results will be: earlier ones (ours, of this or another picture), files of others,
    links to inputs, folders.
    """
    try:
        found = find_pictures(sources)
        jobs = plan(found.pictures, _with_steps(wanted))
    except GecoError:
        return
    inputs = [given.path for given in found.pictures]
    written: list[Path] = []
    most = rng.choice([0.2, 0.2, 0.33])  # below it lie only earlier results of the same picture
    for job in jobs:
        for path in job.files():
            kind = rng.random()
            if os.path.lexists(path) or kind > most:
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            if kind < 0.2:
                path.write_bytes(mark_text("mesh", _source(job)).encode())
                written.append(path)
            elif kind < 0.21 and written:
                path.symlink_to(os.path.abspath(rng.choice(written)))
            elif kind < 0.23:
                path.write_bytes(mark_text("mesh", Source("another.png", "0" * 16)).encode())
            elif kind < 0.26:
                path.write_bytes(PNG + b"a file of somebody else's")
            elif kind < 0.29:
                path.symlink_to(os.path.abspath(rng.choice(inputs)))
            elif kind < 0.31:
                os.link(os.path.realpath(rng.choice(inputs)), path)
            elif kind < 0.32:
                path.mkdir()


def _run_and_judge(sources: list[str], wanted: Wanted, rng: random.Random) -> Trial:
    before = _snapshot()
    try:
        found = find_pictures(sources)
    except InputImageError:
        return Trial("no picture")
    assert all(read_mark(given.path) is None for given in found.pictures if not given.named), (
        "an earlier result as an input"
    )
    inputs = {given.path.absolute(): given.path.read_bytes() for given in found.pictures}
    try:
        jobs = plan(found.pictures, _with_steps(wanted))
    except OutputError as error:
        assert _snapshot() == before, "a refusal changed something"
        assert str(error).isprintable(), "more than one line"
        return Trial("refused", len(inputs), why=error.problem)
    written = _write(jobs, rng)
    for path, data in inputs.items():
        assert path.read_bytes() == data, f"an input was touched: {path}"
    _judge_outputs(jobs, written)
    for name, (_, data, ours) in before.items():
        if not ours and not (wanted.overwrite and Path(name) in {path.absolute() for path in written}):
            assert Path(name).read_bytes() == data, f"a file of others was touched: {name}"
    _judge_again(found, sources, wanted, jobs)
    return Trial("written", len(inputs), len(written))


def _write(jobs: list[Job[Given]], rng: random.Random) -> dict[Path, bytes]:
    """As the command does: meshes by the real writer (USDZ stood in for, it takes a second), the
    rest as files with a mark.
    """
    written: dict[Path, bytes] = {}
    for job in jobs:
        source = _source(job)
        for path in (*job.step_files, *(path for output in job.outputs for path in output.files())):
            job.check([path])
            sweep(path.parent)
            if path.suffix.lower() in (".glb", ".obj", ".ply", ".stl", ".3mf"):
                texture = np.full((4, 4, 3), rng.randrange(256), np.uint8)
                about = About(object_name(job.picture.path.stem), source, {"n": len(written)})
                files = save(TRIANGLE.with_(texture=texture), path, about=about)
                for file in files:
                    assert file == path or file.name.isascii()
                written[path] = path.read_bytes()
            else:
                written[path] = f"{mark_text('step', source)}\n{len(written)}".encode()
                atomic_write(path, written[path])
    return written


def _judge_outputs(jobs: list[Job[Given]], written: dict[Path, bytes]) -> None:
    planned = [path for job in jobs for path in job.files()]
    assert len(planned) == len(written), "one path twice"
    for path, data in written.items():
        assert path.read_bytes() == data, f"two outputs in one file: {path}"
        if path.suffix.lower() == ".obj":
            (library,) = (
                line.split()[1] for line in data.decode().splitlines() if line.startswith("mtllib ")
            )
            (picture,) = (
                line.split()[1]
                for line in (path.parent / library).read_text().splitlines()
                if "map_Kd" in line
            )
            assert read_mark(path.parent / picture) is not None
    # A folder may be copied to a system that takes case and Unicode forms for one.
    places = Counter(_as_one(path) for path in planned)
    assert max(places.values()) == 1, f"names that differ by case or form only: {places.most_common(1)}"
    several = [path for job in jobs for path in job.files() if len(jobs) > 1 and job.step_files == []]
    spoken = Counter("".join(_as_one(path).split()) for path in several)
    assert not spoken or max(spoken.values()) == 1, (
        f"names that differ by spaces only: {spoken.most_common(1)}"
    )


def _judge_again(found: Found, sources: list[str], wanted: Wanted, jobs: list[Job[Given]]) -> None:
    """The same command once more: the same pictures, the same plan, no refusal."""
    again = find_pictures(sources)
    assert [given.path for given in again.pictures] == [given.path for given in found.pictures]
    assert [job.files() for job in plan(again.pictures, _with_steps(wanted))] == [job.files() for job in jobs]
    assert not [path for job in jobs for file in job.files() for path in file.parent.glob(".*.part*")], (
        "leftovers"
    )


def _with_steps(wanted: Wanted) -> Wanted:
    names = (*STEPS, *(f"views-{index}.png" for index in range(len(wanted.seeds))))
    return Wanted(**{**wanted.__dict__, "step_names": names})


def _source(job: Job[Given]) -> Source:
    return Source(job.picture.path.name, digest_of(job.picture.path.read_bytes()))


def _snapshot() -> dict[str, tuple[int, bytes, bool]]:
    """Every file below the current folder that is no folder: number, bytes, and whether it is
    ours or a leftover.
    """
    found = {}
    for folder, _, names in os.walk(os.getcwd()):
        for name in names:
            path = Path(folder, name)
            if path.is_file():
                ours = read_mark(path) is not None or ".part" in name
                found[str(path)] = (path.stat().st_ino, path.read_bytes(), ours)
    return found


def _as_one(path: Path) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", os.path.realpath(path)).casefold())


def main() -> None:
    parser = argparse.ArgumentParser(description="generated folders through the planner of geco run")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    outcomes: Counter[str] = Counter()
    pictures = files = 0
    reasons: Counter[str] = Counter()
    for seed in range(options.seed, options.seed + options.count):
        folder = Path(tempfile.mkdtemp(prefix="geco-folders-"))
        try:
            result = trial(seed, folder / "t")
        except BaseException:
            print(f"seed {seed}, kept in {folder}", flush=True)
            raise
        shutil.rmtree(folder)
        outcomes[result.outcome] += 1
        pictures, files = pictures + result.pictures, files + result.files
        reasons[next((key for key in REASONS if key in result.why), result.why)] += (
            result.outcome == "refused"
        )
    print(
        json.dumps(
            {
                "folders": options.count,
                **outcomes,
                "pictures": pictures,
                "files": files,
                "reasons": dict(reasons),
            }
        )
    )


if __name__ == "__main__":
    main()
