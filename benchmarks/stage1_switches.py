"""The open questions of Stage I, one short run each from the same start: ``python -m
benchmarks.stage1_switches SHARDS -o FOLDER``.

Every run is a ``geco distill stage1`` of the small family with one thing changed; the table says by how much
the held-out numbers differ after it. First comes what a reference of another kind costs the frozen teacher.
Everything is kept in FOLDER: a killed command goes on where it was, ``--only NAME`` makes single rows, and
the table (``FOLDER/switches.md``) is of the rows that are there. Short runs rank nothing that differs by less
than two seeds do: the second row is the first with another seed. The shards are of the teacher's own size (96
px), with ``held_out/``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from geco.data.dataset import GridViews
from geco.device import autocast_bf16
from geco.files import atomic_write
from geco.multiview.guidance import without_picture
from geco.multiview.sampling import Walk, sample
from geco.multiview.steps import Sampler
from geco.sampling import Reference
from geco.training.augment import composite
from geco.training.held_out import differences
from geco.training.inputs import Inputs
from geco.training.machine import Machine
from geco.training.pairs import noise_of
from geco.training.six_views import to_tensors
from geco.training.small_family import SMALL

GUIDANCE = 1.5  # of the small teacher (geco/recipes/small.py)
REFERENCE_STEPS = 25


@dataclass(frozen=True)
class Switch:
    """One row: what is set, and what the run needs beside."""

    name: str
    sets: tuple[str, ...] = ()
    pairs: bool = False
    seed: int = 0
    second: bool = False


SWITCHES = (
    Switch("base"),
    Switch("base, another seed", seed=1),
    Switch("reference noised", ("reference=noised",)),
    Switch("reference noised, student's clean", ("reference=noised", "student_reference=clean")),
    Switch("w(t) sigma2", ("weighting=sigma2",)),
    Switch("w(t) constant", ("weighting=constant",)),
    Switch("batch twice as large", ("batch=2x",)),
    Switch("teacher's guidance 1", ("guidance_scale=1",)),
    Switch("teacher's guidance 4", ("guidance_scale=4",)),
    Switch("guidance in G", ("generator_guidance=1.5",)),
    Switch("student guided", ("student_guidance=1.5", "drop=0.1")),
    Switch("two updates of the student", ("student_repeats=2",)),
    Switch("pair warm-up, half of the steps", ("regression_steps=half",), pairs=True),
    Switch("adversarial term 0.1", ("adversarial_weight=0.1",), pairs=True),
    Switch("second teacher 0.5", ("second_weight=0.5",), second=True),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, help="finished shards with held_out/ beside")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--init", type=Path, default=Path("models/small/teacher"))
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--held-out", type=int, default=8)
    parser.add_argument("--pairs", type=int, default=32)
    parser.add_argument("--second-steps", type=int, default=400, help="of the second teacher's training")
    parser.add_argument("--only", nargs="*", default=None, metavar="NAME")
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.output.mkdir(parents=True, exist_ok=True)
    references(options)
    for switch in SWITCHES:
        if options.only is None or switch.name in options.only:
            train(options, switch)
            atomic_write(options.output / "switches.md", table(options).encode())
    print(table(options))


def references(options: argparse.Namespace) -> dict[str, Any]:
    """What the frozen teacher makes of a clean and of a noised reference, against the true views."""
    path = options.output / "references.json"
    if not path.exists():
        found = {kind: reference_row(options, kind) for kind in ("clean", "noised")}
        atomic_write(path, json.dumps(found, indent=1).encode())
    read: dict[str, Any] = json.loads(path.read_text())
    return read


@torch.no_grad()
def reference_row(options: argparse.Namespace, reference: Reference) -> dict[str, float]:
    """Means over the held-out pictures, of six views against the true ones."""
    machine = Machine(device="cpu", threads=1)
    data = GridViews(Inputs(machine, options.data).held_out or options.data)
    views = SMALL.load_views(options.init, machine.device)
    condition, truth = (composite(part) for part in to_tensors(data.fixed(options.held_out)))
    found: list[dict[str, float]] = []
    for number in range(options.held_out):
        told = views.codec.condition(condition[number][None])
        walk = Walk(REFERENCE_STEPS, Sampler("ddim"), GUIDANCE, 1.0, reference=reference)
        without = without_picture(views.codec, told, GUIDANCE)
        with autocast_bf16(machine.device):
            x0 = sample(views.network, told, noise_of(0, [number]), walk, without)
        found.append(differences(views.codec.decode(x0.float())[0], truth[number]))
    return {name: sum(each[name] for each in found) / len(found) for name in found[0]}


def train(options: argparse.Namespace, switch: Switch) -> None:
    """One run, or what is left of it."""
    if (report(options, switch) or {}).get("step") == options.steps:
        return
    given = ["--init", options.init, "--device", "cpu"]
    pairs = options.output / "pairs"
    if switch.pairs:
        more = ["--count", options.pairs, "--steps", REFERENCE_STEPS, "--set", "renders=1"]
        geco("distill", "pairs", "--recipe", "small", "--data", options.data, *given, *more, "-o", pairs)
        given += ["--pairs", pairs]
    given += ["--threads", "1"]
    if switch.second:
        given += ["--second-teacher", second_teacher(options)]
    base = (f"batch={options.batch}", f"held_out={options.held_out}", "checkpoint_minutes=1")
    words = {"batch=2x": f"batch={2 * options.batch}", "regression_steps=half": half(options.steps)}
    for setting in (*base, *(words.get(each, each) for each in switch.sets)):
        given += ["--set", setting]
    given += ["--steps", options.steps, "--seed", switch.seed, "-o", folder(options, switch), "--resume"]
    geco("distill", "stage1", "--recipe", "small", "--data", options.data, *given)


def second_teacher(options: argparse.Namespace) -> Path:
    """A small teacher of single views, trained here for as long as ``--second-steps`` says."""
    made: Path = options.output / "single"
    apart = ["--set", "multiview.apart=true", "--set", "multiview.volume=0", "--set", "batch=8"]
    where = ["--data", options.data, "--device", "cpu", "--threads", "1", "-o", made, "--resume"]
    geco("train", "teacher", "--recipe", "small", "--steps", options.second_steps, *apart, *where)
    return made


def half(steps: int) -> str:
    return f"regression_steps={steps // 2}"


def geco(*words: object) -> None:
    """One command of the product, in a process of its own; its failure ends this one."""
    line = [str(word) for word in words]
    print("geco", *line, flush=True)
    subprocess.run([sys.executable, "-m", "geco.cli.main", *line], check=True)


def folder(options: argparse.Namespace, switch: Switch) -> Path:
    name = "".join(letter if letter.isalnum() else "-" for letter in switch.name.lower())
    found: Path = options.output / name
    return found


def report(options: argparse.Namespace, switch: Switch) -> dict[str, Any] | None:
    """The last report of a run, or None."""
    log = folder(options, switch) / "log.jsonl"
    lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    reports = [line for line in lines if "report" in line]
    return reports[-1] if reports else None


def table(options: argparse.Namespace) -> str:
    """Markdown: the references, then the switches."""
    measures = "pyramid | mean | saturation |"
    rows = [f"| Teacher's reference | PSNR, true views | {measures}", "|---|---|---|---|---|"]
    rows += [f"| {kind} | {numbers(found)} |" for kind, found in references(options).items()]
    rows += ["", f"| Switch | `--set` | PSNR, teacher's views | {measures} PSNR, true views |"]
    rows += ["|---|---|---|---|---|---|---|"]
    for switch in SWITCHES:
        found = report(options, switch)
        if found is not None and found["step"] == options.steps:
            values = found["report"]
            true = next(iter(values["x0_psnr"].values()))
            sets = ", ".join(f"`{each}`" for each in switch.sets)
            rows.append(f"| {switch.name} | {sets} | {numbers(values['held_out'])} | {true:.2f} |")
    return "\n".join(rows) + "\n"


def numbers(found: dict[str, float]) -> str:
    """The cells of :func:`differences`."""
    drifts = " | ".join(f"{found[name]:+.4f}" for name in ("mean_drift", "saturation_drift"))
    return f"{found['psnr']:.2f} | {found['perceptual']:.4f} | {drifts}"


if __name__ == "__main__":
    main()
