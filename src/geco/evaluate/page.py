"""index.html: a block an object, worst first, the truth above every method; no resources but the
report's own pictures.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from geco.data.objects import ObjectSource
from geco.evaluate.pictures import strip_path, truth_path
from geco.evaluate.rows import SKIPPED, Row
from geco.evaluate.scores import COLUMNS
from geco.evaluate.tables import cell

PARTS = ("A", "B", "views", "input", "mesh")
SHOWN = (
    ("A", "psnr"),
    ("A", "foreground_psnr"),
    ("A", "iou"),
    ("A", "perceptual"),
    ("mesh", "chamfer"),
    ("mesh", "volume_iou"),
)
STYLE, SCRIPT = (Path(__file__).with_name("html") / name for name in ("page.css", "page.js"))


def page(
    folder: Path, results: Mapping[str, Any], rows: Sequence[Row], objects: Mapping[str, ObjectSource]
) -> str:
    """The whole page. ``folder`` is the report's, to see which pictures are there."""
    columns = list(results["methods"])
    values = _values(rows)
    keys = results["objects"]
    metrics = sorted({name for each in values.values() for name in each})
    default_metric = next(
        (name for name in ("A.psnr", "B.psnr", "views.psnr") if name in metrics),
        metrics[0] if metrics else "",
    )
    default_column = next((c for c in columns if any((key, c) in values for key in keys)), "")
    worst = sorted(
        keys,
        key=lambda key: _badness(values.get((key, default_column), {}).get(default_metric), default_metric),
    )
    data = {
        "values": {key: {c: values.get((key, c), {}) for c in columns} for key in keys},
        "better": {name: _better(name) for name in metrics},
    }
    blocks = "\n".join(_object(folder, key, objects.get(key), columns, rows, values) for key in worst)
    skipped = "".join(
        f"<li>{escape(key)}: {escape(facts['reason'])}: {escape(facts['error'])}</li>"
        for key, facts in results["skipped"].items()
    )
    boxes = "".join(
        f'<label><input type="checkbox" checked value="{index}">{escape(column)}</label>'
        for index, column in enumerate(columns)
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>GECO evaluation</title><style>{STYLE.read_text(encoding="utf-8")}</style></head><body>
<h1>Evaluation of {len(columns)} columns on {len(keys)} objects</h1>
<p>Each block is an object: the truth first, then every method; a strip of the six generated views, then
of the mesh from set A (azimuths 30 … 330, elevations 20 and -10 in turn) and from six of set B's fifteen
(elevation 0). <a href="tables.md">Tables</a> · <a href="results.json">results.json</a> ·
<a href="rows.jsonl">rows.jsonl</a>. {escape(str(results["machine"]))}.</p>
{_overview(results)}
<p id="controls">Worst first by <select id="metric">{_options(metrics, default_metric)}</select> of
<select id="column">{_options(columns, default_column)}</select> <button id="turn">best first</button>
Show: {boxes}</p>
<div id="objects">
{blocks}
</div>
{f"<h2>Skipped objects</h2><ul>{skipped}</ul>" if skipped else ""}
<script id="data" type="application/json">{json.dumps(data).replace("<", chr(92) + "u003c")}</script>
<script>{SCRIPT.read_text(encoding="utf-8")}</script>
</body></html>
"""


def _overview(results: Mapping[str, Any]) -> str:
    """Means of the columns that are shown at every object."""
    lines = []
    for name, method in results["methods"].items():
        numbers = "".join(
            f"<td>{escape(cell(method.get(part, {}).get(key), COLUMNS[key].digits))}</td>"
            for part, key in SHOWN
        )
        lost = method["failed"] + method["missing"]
        lines.append(
            f"<tr><th>{escape(name)}</th>{numbers}<td>{escape(cell(method['seconds'], 2))}</td>"
            f"<td>{lost or ''}</td></tr>"
        )
    head = "".join(f"<th>{part} {escape(COLUMNS[key].label)}</th>" for part, key in SHOWN)
    return f"<table><tr><th></th>{head}<th>seconds</th><th>no mesh</th></tr>{''.join(lines)}</table>"


def _object(
    folder: Path,
    key: str,
    source: ObjectSource | None,
    columns: Sequence[str],
    rows: Sequence[Row],
    values: Mapping[tuple[str, str], Mapping[str, float]],
) -> str:
    own = [row for row in rows if row["object"] == key and row["method"] != SKIPPED]
    caption = " · ".join(filter(None, (source.category, source.licence, source.author))) if source else ""
    lines = [
        f"<tr class=truth><th>truth</th><td>{_picture(folder, truth_path(folder, key, 'input'))}</td>"
        f"<td>{_picture(folder, truth_path(folder, key, 'A'))}</td>"
        f"<td>{_picture(folder, truth_path(folder, key, 'B'))}</td></tr>"
    ]
    for index, column in enumerate(columns):
        found = sorted((row for row in own if row["method"] == column), key=lambda row: int(row["seed"]))
        if not found:
            continue
        row = found[0]
        numbers = values.get((key, column), {})
        said = " · ".join(
            f"{part} {COLUMNS[name].label} {numbers[f'{part}.{name}']:.{COLUMNS[name].digits}f}"
            for part, name in SHOWN
            if f"{part}.{name}" in numbers
        )
        wrong = (
            ""
            if row["status"] == "ok"
            else f"<em>{escape(row['status'])}: {escape(row.get('error', ''))}</em>"
        )
        strips = "".join(
            f"<td>{_picture(folder, strip_path(folder, key, column, row['seed'], part))}</td>"
            for part in ("views", "A", "B")
        )
        lines.append(
            f"<tr data-index={index}><th>{escape(column)}<small>{escape(said)}{wrong}</small></th>"
            f"{strips}</tr>"
        )
    return (
        f'<section data-key="{escape(key)}"><h2>{escape(key)} <small>{escape(caption)}</small> '
        f"<output></output></h2>"
        f"<table><tr><th></th><th>input · generated "
        f"views</th><th>A</th><th>B</th></tr>{''.join(lines)}</table></section>"
    )


def _picture(folder: Path, path: Path) -> str:
    if not path.is_file():
        return ""
    return f'<img loading="lazy" alt="" src="{quote(path.relative_to(folder).as_posix())}">'


def _values(rows: Sequence[Row]) -> dict[tuple[str, str], dict[str, float]]:
    """(object, column) -> "part.metric" -> mean over the seeds."""
    lists: dict[tuple[str, str], dict[str, list[float]]] = {}
    for row in rows:
        if row["method"] == SKIPPED:
            continue
        of = lists.setdefault((row["object"], row["method"]), {})
        for part in PARTS:
            for name, value in (row.get(part) or {}).items():
                if value is not None and name in COLUMNS:
                    of.setdefault(f"{part}.{name}", []).append(value)
    return {place: {name: sum(each) / len(each) for name, each in of.items()} for place, of in lists.items()}


def _better(metric: str) -> int:
    return COLUMNS[metric.partition(".")[2]].better


def _badness(value: float | None, metric: str) -> float:
    """What the default order sorts by: failures first."""
    return float("-inf") if value is None else value * _better(metric)


def _options(names: Sequence[str], chosen: str) -> str:
    return "".join(
        f"<option{' selected' if name == chosen else ''}>{escape(name)}</option>" for name in names
    )
