"""The commands of ``benchmarks/kill.py`` at tiny sizes: how each is started, what it must
leave, what its end is.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

SETS = "grid-targets,grid-extra,grid-inputs"
HIDDEN = re.compile(r"\.part(\.[^.]*)?$|-partial$|^\.lock$")
Digests = dict[str, str]


@dataclass
class Case:
    """One command.

    Attributes:
        name: for the report.
        arguments: of ``geco``, given the output; resumed: the same for a restart.
        prepare: makes the state before the command, whole results of an earlier run where it has any.
        digests: name -> digest of everything in the output that two undisturbed runs have alike; raises where
            a file with a final name is not whole.
    """

    name: str
    arguments: Callable[[Path], list[str]]
    resumed: Callable[[Path], list[str]]
    prepare: Callable[[Path], None]
    digests: Callable[[Path], Digests]


class Room:
    """Everything that the commands read, made once; as a whole the folder can be used again.

    Args:
        folder: for inputs.
        objects: also what everything but "run" and "serve" reads.
    """

    def __init__(self, folder: Path, objects: bool = True) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.picture = folder / "toy.png"
        ball(80).save(self.picture)
        self.objects, self.views = folder / "objects", folder / "views"
        self.start, self.old = folder / "start", folder / "old.glb"
        if not self.old.exists():
            must("run", self.picture, "-o", self.old, "--texture-size", "256", "--seed", "1", "-q")
        if objects and not (folder / "whole").exists():
            shutil.rmtree(self.objects, ignore_errors=True)
            must("data", "procedural", "-o", self.objects, "--count", "5", "--seed", "2")
            must(
                "data",
                "render",
                self.objects,
                "-o",
                self.views,
                "--views",
                SETS,
                "--size",
                "16",
                "--workers",
                "1",
            )
            self._weights()
            (folder / "whole").touch()

    def cases(self) -> list[Case]:
        """Every command that writes; ``run`` onto an existing file."""
        few = ["--device", "cpu"]
        render = [
            "data",
            "render",
            str(self.objects),
            "--views",
            SETS,
            "--size",
            "16",
            "--workers",
            "1",
            "--shard-objects",
            "2",
        ]
        weights = ["--lpips-weights", "none", "--clip-weights", "none"]
        measure = [
            "evaluate",
            "--objects",
            str(self.objects),
            "--limit",
            "3",
            "--methods",
            "copy-input,geco",
            "--size",
            "32",
        ]
        common = ["--recipe", "tiny", "--data", str(self.views)]
        pairs = [
            "distill",
            "pairs",
            *common,
            "--init",
            str(self.start),
            "--count",
            "6",
            "--set",
            "chunk=1",
            *few,
        ]
        train = [
            "train",
            "teacher",
            *common,
            "--steps",
            "8",
            "--set",
            "checkpoint_minutes=0",
            "--threads",
            "1",
            *few,
        ]

        def same(arguments: list[str], *more: str) -> Callable[[Path], list[str]]:
            return lambda output: [*arguments, "-o", str(output), *more]

        def onto(output: Path) -> list[str]:
            return [
                "run",
                str(self.picture),
                "-o",
                str(output / "toy.glb"),
                "--texture-size",
                "256",
                "--seed",
                "2",
                "-q",
            ]

        def nothing(output: Path) -> None:
            return None

        def label(output: Path) -> list[str]:
            return ["data", "label", str(output), "--workers", "1"]

        def shards(output: Path) -> None:
            shutil.copytree(self.views, output)

        export, publish = ["export", str(self.start)], ["publish", str(self.start)]

        def earlier(output: Path) -> None:
            output.mkdir(parents=True)
            shutil.copyfile(self.old, output / "toy.glb")

        return [
            Case("run", onto, onto, earlier, mesh_digests),
            Case("data-render", same(render), same(render), nothing, shard_digests),
            Case(
                "evaluate",
                same(measure, "-q", *weights),
                same(measure, "-q", *weights),
                nothing,
                report_digests,
            ),
            Case("pairs", same(pairs), same(pairs), nothing, pair_digests),
            Case("train", same(train), same(train, "--resume"), nothing, run_digests),
            Case("data-label", label, label, shards, shard_digests),
            Case("export", same(export), same(export), nothing, model_digests),
            Case("publish", same(publish), same(publish), nothing, model_digests),
            Case(
                "serve",
                lambda output: ["serve", "-q", "--port"],
                lambda output: [],
                nothing,
                lambda output: {},
            ),
        ]

    def _weights(self) -> None:
        """A random teacher with a random reconstructor, which is enough to make pairs from."""
        from geco.model_files.card import MULTIVIEW, RECONSTRUCTOR, Usage, write_model_card
        from geco.multiview.small.network import SmallMultiView
        from geco.multiview.small.weights import save_small
        from geco.recipes.tiny import tiny
        from geco.reconstruct.small.model import SmallReconstructor
        from geco.sampling import Sampling

        torch.manual_seed(0)
        recipe = tiny()
        save_small(SmallMultiView(recipe.multiview), self.start / MULTIVIEW)
        SmallReconstructor(recipe.reconstructor).save(self.start / RECONSTRUCTOR)
        usage = Usage(16, 64, Sampling("ddim", 2, clip=1.0))
        write_model_card(self.start, "small", "test", usage.to_dict())


def environment(temporary: Path | None = None) -> dict[str, str]:
    """One thread a library, so that runs can be compared by their bytes; a temporary folder of
    the command's own.
    """
    source = str(Path(__file__).parent.parent / "src")
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    found = {
        **os.environ,
        **threads,
        "PYTHONPATH": source,
        "PYTHONWARNINGS": "ignore",
        "PYTHONUNBUFFERED": "1",
    }
    return found if temporary is None else found | {"TMPDIR": str(temporary)}


def program(arguments: list[str]) -> list[str]:
    """The command line of this checkout's ``geco``."""
    return [sys.executable, "-m", "geco.cli.main", *arguments]


def must(*arguments: str | Path) -> None:
    """Run a command that has to succeed."""
    subprocess.run(
        program([str(each) for each in arguments]), env=environment(), check=True, capture_output=True
    )


def ball(size: int) -> Image.Image:
    """A shaded ball on transparent ground."""
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    inside = x * x + y * y < 0.6
    shade = np.clip(200 - 60 * (x + y), 0, 255).astype(np.uint8)
    return Image.fromarray(
        np.dstack([shade, shade // 2, 255 - shade, np.where(inside, 255, 0).astype(np.uint8)])
    )


def leftovers(folder: Path) -> list[str]:
    """Files that only a command at work may have."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if HIDDEN.search(path.name))


def mesh_digests(output: Path) -> Digests:
    """The mesh, whole."""
    data = (output / "toy.glb").read_bytes()
    assert data[:4] == b"glTF" and int.from_bytes(data[8:12], "little") == len(data), "half a GLB"
    return {"toy.glb": digest(data)}


def shard_digests(output: Path) -> Digests:
    """Every file of the shards; pieces in work are read, not compared."""
    for piece in (output / ".render").glob("*.tar"):
        if not piece.name.startswith("."):
            with tarfile.open(fileobj=io.BytesIO(piece.read_bytes() + b"\0" * 1024)) as archive:
                assert archive.getmembers(), f"{piece.name} is empty"
    return {path.name: digest(path.read_bytes()) for path in sorted(output.glob("[!.]*")) if path.is_file()}


def model_digests(output: Path) -> Digests:
    """Everything but the card, which is written last: where there is one, the model is whole."""
    if (output / "config.json").exists():
        json.loads((output / "config.json").read_bytes())
    files = [path for path in sorted(output.rglob("[!.]*")) if path.is_file() and path.parent.name != "."]
    return {str(p.relative_to(output)): digest(p.read_bytes()) for p in files if p.name != "config.json"}


def report_digests(output: Path) -> Digests:
    """Settings, rows without what the clock says, meshes and strips; the pages that are made of
    them have to be there.
    """
    found: Digests = {}
    for path in sorted(
        path for path in output.rglob("*") if path.is_file() and not path.name.startswith(".")
    ):
        name = str(path.relative_to(output))
        if name == "rows.jsonl":
            for line in path.read_text().splitlines(keepends=True):
                # the last may be torn by the kill: it is dropped when the report goes on
                if line.endswith("\n"):
                    row = json.loads(line)
                    kept = {key: value for key, value in row.items() if not is_timing(key)}
                    found[f"row {row['method']} {row['object']} {row['seed']}"] = digest(
                        json.dumps(kept).encode()
                    )
        elif path.suffix in (".html", ".md") or name in ("results.json", "settings.json"):
            assert path.read_bytes().strip(), f"{name} is empty"
            if path.suffix == ".json":
                json.loads(path.read_bytes())
        else:
            found[name] = digest(path.read_bytes())
    return found


def is_timing(name: str) -> bool:
    """What differs between two runs of one program."""
    return any(word in name for word in ("seconds", "stages", "memory", "peak", "gpu"))


def pair_digests(output: Path) -> Digests:
    """Every file of the pairs."""
    files = (path for path in sorted(output.glob("chunks/**/*")) if path.is_file())
    found: Digests = {str(path.relative_to(output)): digest(path.read_bytes()) for path in files}
    for path in output.glob("*.json"):
        json.loads(path.read_bytes())
    return found


def run_digests(output: Path) -> Digests:
    """The weights of a run that is over; of one that is not, the checkpoint has to be readable."""
    if (output / "checkpoint.pt").exists():
        torch.load(output / "checkpoint.pt", weights_only=True)
    for path in output.glob("*.json"):
        json.loads(path.read_bytes())
    if not (output / "config.json").exists():
        return {}
    return {str(p.relative_to(output)): digest(p.read_bytes()) for p in sorted(output.rglob("*.safetensors"))}


def served(port: int, picture: Path) -> str:
    """The digest of what the server makes of the picture."""
    boundary = "a-boundary-of-a-form"
    small = f'--{boundary}\r\nContent-Disposition: form-data; name="texture_size"\r\n\r\n256\r\n'
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="picture"; filename="toy.png"\r\n\r\n'
    body = small.encode() + head.encode() + picture.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/v1/mesh", data=body, headers=kind)
    with urllib.request.urlopen(request, timeout=120) as answer:
        return digest(answer.read())


def digest(data: bytes) -> str:
    """Twelve digits of SHA-256."""
    return hashlib.sha256(data).hexdigest()[:12]


def removed(folder: Path) -> None:
    """Remove a folder; one that a dying process still writes to is left to the next try."""
    with contextlib.suppress(OSError):
        shutil.rmtree(folder)
