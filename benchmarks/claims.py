"""The paper's table and its four relations, read from reports of ``geco evaluate``.

    python -m benchmarks.claims REPORT [REPORT ...] [--suffix +finish] [--only GSO,YCB]

The columns ``copy-input``, ``undistilled``, ``teacher-N``, ``stage1``, ``geco`` (Stage I + II),
``regressor``, ``pixelnerf``, ``optimize-sds``, ``optimize-vsd`` (with what stands behind their ``@``) and
``ground-truth-views`` become rows, and ``stage1@1`` and ``geco@1`` (all of the noise, as in the paper,
where the model truncates it) where they are; ``runs/small_claims.sh`` and ``runs/results.sh`` make such
reports. Markdown tables of each report, then each relation that its columns decide with its number beside the
paper's (arXiv 2405.20327, tables 1 to 3), then one JSON line. A relation counts as holding when at least half
of the paper's difference is there: a small model on other objects cannot be asked for the same decibels.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geco.evaluate.rows import Rows
from geco.evaluate.summary import summarise
from geco.evaluate.tables import cell, markdown

ORDER = (
    "copy-input",
    "undistilled",
    "teacher",
    "stage1@1",
    "geco@1",
    "stage1",
    "geco",
    "geco+finish",
    "regressor",
    "pixelnerf",
    "optimize-sds",
    "optimize-vsd",
    "ground-truth-views",
    "ground-truth-views+finish",
)
PATTERNS = {  # of columns whose names say how many steps
    "teacher": r"teacher-\d+",
    "optimize-sds": r"optimize-sds(@.*)?",
    "optimize-vsd": r"optimize-vsd(@.*)?",
}
TITLES = {
    "copy-input": "copy of the input",
    "undistilled": "undistilled, one step",
    "teacher": "teacher, many steps",
    "stage1@1": "Stage I, all of the noise",
    "geco@1": "Stage I + II, all of the noise",
    "stage1": "Stage I",
    "geco": "Stage I + II",
    "geco+finish": "the same, finished as `geco run` does",
    "regressor": "regressor",
    "pixelnerf": "PixelNeRF",
    "optimize-sds": "SDS, each object for itself",
    "optimize-vsd": "VSD, each object for itself",
    "ground-truth-views": "from true views",
    "ground-truth-views+finish": "from true views, finished",
}
DETERMINISTIC = ("regressor", "pixelnerf", "ground-truth-views", "ground-truth-views+finish")
# part, metric, heading, digits
VIEW_COLUMNS = [
    ("views", "psnr", "PSNR", 2),
    ("views", "foreground_psnr", "fg PSNR", 2),
    ("views", "iou", "sil. IoU", 3),
    ("views", "ssim", "SSIM", 3),
    ("views", "perceptual", "perc.", 3),
]
MESH_COLUMNS = [
    ("A", "psnr", "PSNR A", 2),
    ("A", "foreground_psnr", "fg A", 2),
    ("A", "iou", "IoU A", 3),
    ("A", "ssim", "SSIM A", 3),
    ("A", "perceptual", "perc. A", 3),
    ("B", "psnr", "PSNR B", 2),
    ("B", "foreground_psnr", "fg B", 2),
    ("B", "perceptual", "perc. B", 3),
    ("mesh", "chamfer", "CD", 4),
    ("mesh", "f@5%", "F@5%", 3),
    ("mesh", "volume_iou", "vIoU", 3),
]


@dataclass(frozen=True)
class Relation:
    """One of the paper's claims: ``value`` is ours, ``paper`` the paper's, ``holds`` by the rule
    of this module's text.
    """

    name: str
    value: float | None
    paper: float
    holds: bool | None
    unit: str

    @classmethod
    def difference(
        cls, name: str, ours: float | None, than: float | None, paper: float, unit: str = "dB"
    ) -> Relation:
        value = None if ours is None or than is None else ours - than
        return cls(name, value, paper, None if value is None else value >= paper / 2, unit)


def columns(methods: Mapping[str, Any], suffix: str = "") -> dict[str, Any]:
    """Role -> column of a report; ``suffix`` chooses the variant of the meshes where there is
    one; views are the bare column's.
    """
    found: dict[str, Any] = {}
    for role in ORDER:
        pattern = PATTERNS.get(role, re.escape(role))
        bare = next((key for key in methods if re.fullmatch(pattern, key)), None)
        if bare is not None:
            found[role] = {**methods[bare], **methods.get(f"{bare}{suffix}", {})}
    return found


def mean(column: Mapping[str, Any] | None, part: str, metric: str) -> float | None:
    """None where the report does not have it."""
    entry = ((column or {}).get(part) or {}).get(metric)
    return None if entry is None else entry["mean"]


def table(found: Mapping[str, Any], wanted: Sequence[tuple[str, str, str, int]]) -> str:
    """Rows in the paper's order; ± is the deviation of the seeds' means."""
    lines = []
    for role in ORDER:
        column = found.get(role)
        if column is not None and any(part in column for part, *_ in wanted):
            values = [
                cell((column.get(part) or {}).get(metric), digits) for part, metric, _, digits in wanted
            ]
            seconds = column["seconds"]["mean"]
            meshes = max((entry["n"] for entry in (column.get("mesh") or {}).values()), default=0)
            lines.append(
                [
                    TITLES[role],
                    f"{meshes} / {column['rows']}",
                    *values,
                    "–" if seconds is None else f"{seconds:.2f}",
                ]
            )
    return markdown(["", "meshes / runs", *(heading for _, _, heading, _ in wanted), "seconds"], lines)


def diversity_table(found: Mapping[str, Any]) -> str:
    """How far seeds differ, RMSE over the pixels of meshes in set A, and PSNR of their mean and their best;
    what draws nothing differs by nothing.
    """
    lines = []
    for role in ORDER:
        column = found.get(role)
        if column is None or "mesh" not in column:
            continue
        spread = column.get("mesh_diversity") or {}
        names = ("input_rmse", "far_rmse", "far_psnr", "far_psnr_best")
        values = [cell(spread.get(name), 2 if "psnr" in name else 3) for name in names]
        if role in DETERMINISTIC:
            values = ["0", "0", *values[2:]]
        if spread or role in DETERMINISTIC:
            lines.append([TITLES[role], str(column["seeds"]), *values])
    heads = ["", "seeds", "input side", "far side", "far PSNR, mean", "far PSNR, best"]
    return markdown(heads, lines) if lines else ""


def relations(found: Mapping[str, Any]) -> list[Relation]:
    """The four of the paper, at whatever scale the report has."""
    get = found.get
    one, two, many, plain = get("stage1"), get("geco"), get("teacher"), get("undistilled")
    near = Relation.difference(
        "1b Stage I against its own teacher, six views",
        mean(one, "views", "psnr"),
        mean(many, "views", "psnr"),
        -0.72,
    )
    if near.value is not None:
        # "within about 0.8 dB"
        near = Relation(near.name, near.value, near.paper, near.value >= -0.8, near.unit)
    slow, fast = (column["seconds"]["mean"] if column else None for column in (many, two))
    speed = slow / fast if slow and fast else None
    regressor = get("regressor")
    found_relations = [
        Relation.difference(
            "1a Stage I over the undistilled step, meshes A",
            mean(one, "A", "psnr"),
            mean(plain, "A", "psnr"),
            3.96,
        ),
        near,
        Relation.difference(
            "2a Stage II over Stage I, PSNR, meshes A", mean(two, "A", "psnr"), mean(one, "A", "psnr"), 0.56
        ),
        Relation.difference(
            "2b Stage II over Stage I, vIoU",
            mean(two, "mesh", "volume_iou"),
            mean(one, "mesh", "volume_iou"),
            0.014,
            "",
        ),
        Relation.difference(
            "3a GECO over the regressor, meshes A", mean(two, "A", "psnr"), mean(regressor, "A", "psnr"), 1.16
        ),
        Relation.difference(
            "3b the same, vIoU",
            mean(two, "mesh", "volume_iou"),
            mean(regressor, "mesh", "volume_iou"),
            0.042,
            "",
        ),
    ]
    other = get("pixelnerf")
    for name, part, metric, paper, unit in (
        ("3d GECO over PixelNeRF, meshes A (paper: over OpenLRM)", "A", "psnr", 1.16, "dB"),
        ("3e the same, vIoU", "mesh", "volume_iou", 0.042, ""),
    ):
        ours, theirs = mean(two, part, metric), mean(other, part, metric)
        found_relations.append(Relation.difference(name, ours, theirs, paper, unit))
    # the paper shows pictures, no number: more variation where the input says nothing
    for role in ("stage1", "stage1@1"):
        spread = (get(role) or {}).get("diversity") or {}
        far, side = (spread.get(name, {}).get("mean") for name in ("far_rmse", "input_rmse"))
        if far is not None and side is not None:
            name = f"3c {TITLES[role]}: RMSE over seeds, far side {far:.3f} less input side {side:.3f}"
            found_relations.append(Relation(name, far - side, 0.0, far > side, ""))
    return [
        *found_relations,
        Relation(
            "4 faster than the teacher's pipeline",
            speed,
            11.5,
            None if speed is None else speed >= 10,
            "times",
        ),
    ]


def read(report: Path, only: Sequence[str] = ()) -> dict[str, Any]:
    """results.json; with ``only``, anew from the rows of the objects whose names begin with one
    of these and two underscores.
    """
    results: dict[str, Any] = json.loads((report / "results.json").read_text())
    if not only:
        return results
    settings = json.loads((report / "settings.json").read_text())
    rows = [row for row in Rows(report) if row["object"].split("__")[0] in only]
    objects = [name for name in results["objects"] if name.split("__")[0] in only]
    return {**results, **summarise(report, rows, settings, {}), "objects": objects}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("reports", type=Path, nargs="+")
    parser.add_argument(
        "--suffix", default="", help="variant of the meshes, as +finish (default: the bare networks)"
    )
    parser.add_argument(
        "--only",
        type=lambda text: text.split(","),
        default=[],
        help="only objects of these collections, as GSO,YCB",
    )
    args = parser.parse_args()
    summary = {}
    for report in args.reports:
        results = read(report, args.only)
        found = columns(results["methods"], args.suffix)
        print(f"## {report.name}: {len(results['objects'])} objects, {results['settings']['seeds']} seeds\n")
        print(f"Views alone\n\n{table(found, VIEW_COLUMNS)}\n\nMeshes\n\n{table(found, MESH_COLUMNS)}\n")
        if spread := diversity_table(found):
            print(f"Meshes over seeds, set A\n\n{spread}\n")
        rows = [relation for relation in relations(found) if relation.value is not None]
        if rows:
            lines = [
                [
                    r.name,
                    f"{r.value:+.3f} {r.unit}",
                    f"{r.paper:+.3f}",
                    "holds" if r.holds else "does not hold",
                ]
                for r in rows
            ]
            print(markdown(["relation", "here", "paper", ""], lines) + "\n")
        summary[report.name] = {r.name: r.value for r in rows}
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
