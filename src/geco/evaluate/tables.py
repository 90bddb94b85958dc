"""tables.md: the paper's tables, and what was left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from geco.evaluate.scores import COLUMNS, MESH_COLUMNS, PICTURE_COLUMNS, Column

Results = Mapping[str, Any]
_ARROW = {1: "↑", -1: "↓"}
_SETS = {
    "A": "Meshes, set A: the six poses of zero123plus-v1.2",
    "B": "Meshes, set B: 15 even azimuths at elevation 0",
    "input": "Meshes from the input's own camera",
}
_PAPER = ("psnr", "foreground_psnr", "ssim", "iou", "lpips_vgg", "lpips_alex", "perceptual", "clip")


def tables(results: Results) -> str:
    """The whole page as Markdown."""
    parts = [_head(results)]
    for name, title in _SETS.items():
        parts.append(_pictures(results, name, title, with_mesh=name != "input"))
    parts.append(_part(results, "mesh", "Surfaces, in longest sides of the truth's box", MESH_COLUMNS))
    parts.append(_pictures(results, "views", "Six generated views alone, enlarged to the evaluation's size"))
    parts.append(_pictures(results, "views_native", "Six generated views alone, at their own size"))
    parts.append(_runtime(results))
    parts.append(_diversity(results))
    parts.append(_groups(results))
    parts.append(_left_out(results))
    return "\n\n".join(part for part in parts if part) + "\n"


def cell(entry: Mapping[str, Any] | None, digits: int) -> str:
    """``mean``, with ``± deviation of the seeds' means`` where there are several seeds."""
    if not entry or entry["mean"] is None:
        return "–"
    text = f"{entry['mean']:.{digits}f}"
    return f"{text} ± {entry['seed_std']:.{digits}f}" if "seed_std" in entry else text


def markdown(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table; the first column is left-aligned."""
    rows = [header, ["---", *["---:"] * (len(header) - 1)], *lines]
    return "\n".join(
        "| " + " | ".join(str(value).replace("|", "\\|") for value in row) + " |" for row in rows
    )


def _head(results: Results) -> str:
    settings, versions = results["settings"], results["versions"]
    lines = [
        "# Evaluation",
        "",
        f"{len(results['objects'])} objects, {settings['seeds']} seed(s), pictures of {settings['size']} "
        f"px, protocol "
        f"{settings['protocol']}; geco {versions['geco']}. Machine: {results['machine']}.",
        "Means over all rows; with several seeds ± is the standard deviation of the seeds' means. `NAME` "
        "is what the networks "
        "alone give; `NAME+finish` as `geco run` delivers it: the surface made to keep to the input "
        "picture's outline, the "
        "picture laid onto it.",
    ]
    for name, reason in results["unavailable"].items():
        lines.append(f"- {COLUMNS[name].label}: no weights ({reason})")
    for name, method in results["methods"].items():
        if method["sampling"] and method["variant"] == "bare":
            s = method["sampling"]
            less = f", truncation {s['truncation']:g}" if s.get("truncation", 1) != 1 else ""
            less += f", {s['reference']} reference" if s.get("reference") else ""
            steps = (
                f"{s['steps']} step{'s' * (s['steps'] != 1)} of {s['kind']}"
                if s["kind"] != "one-step"
                else "1 step"
            )
            lines.append(f"- {name}: {steps}, guidance {s['guidance_scale']:g}, eta {s['eta']:g}{less}")
    return "\n".join(lines)


def _pictures(results: Results, part: str, title: str, with_mesh: bool = False) -> str:
    """Picture metrics of a part; with the paper's two surface metrics behind them."""
    having = {name: method for name, method in results["methods"].items() if part in method}
    if not having:
        return ""
    shown = [c for c in PICTURE_COLUMNS if c.key in _PAPER]
    surface = [COLUMNS["chamfer"], COLUMNS["volume_iou"]] if with_mesh else []
    header = ["Method", "n", *(_label(c) for c in (*shown, *surface))]
    lines = []
    for name, method in having.items():
        values = [_cell(results, method[part], c) for c in shown] + [
            _cell(results, method.get("mesh", {}), c) for c in surface
        ]
        lines.append([name, _count(method, part), *values])
    return f"## {title}\n\n{markdown(header, lines)}"


def _part(results: Results, part: str, title: str, columns: Sequence[Column]) -> str:
    having = {name: method for name, method in results["methods"].items() if part in method}
    shown = [c for c in columns if any(c.key in method[part] for method in having.values())]
    if not having:
        return ""
    lines = [
        [name, _count(m, part), *(_cell(results, m[part], c) for c in shown)] for name, m in having.items()
    ]
    return f"## {title}\n\n{markdown(['Method', 'n', *(_label(c) for c in shown)], lines)}"


def _runtime(results: Results) -> str:
    having = {name: m for name, m in results["methods"].items() if m["seconds"]["n"]}
    if not having:
        return ""
    stages = list(dict.fromkeys(stage for m in having.values() for stage in m["stages"] if stage != "total"))
    header = ["Method", "n", *stages, "total s", "load s", "first run s", "peak MB", "GPU MB"]
    lines = []
    for name, m in having.items():
        times = [cell(m["stages"].get(stage), 3) for stage in stages]
        total = f"{m['seconds']['mean']:.3f} ± {m['seconds']['std']:.3f}"
        memory = [
            f"{m['memory'][key]:.0f}" if m["memory"][key] is not None else "–"
            for key in ("peak_mb", "gpu_mb")
        ]
        lines.append(
            [
                name,
                str(m["seconds"]["n"]),
                *times,
                total,
                cell(m["load_seconds"], 2),
                cell(m["warmup_seconds"], 2),
                *memory,
            ]
        )
    note = (
        "Seconds a picture after an unmeasured first run, from the picture in memory to the finished mesh; "
        "± over rows. Peak "
        "memory is the method's own process, all of its variants together."
    )
    return f"## Time and memory\n\n{note}\n\n{markdown(header, lines)}"


def _diversity(results: Results) -> str:
    found = []
    for entry, what in (("diversity", "the views"), ("mesh_diversity", "the meshes, set A")):
        having = {name: m[entry] for name, m in results["methods"].items() if m.get(entry)}
        if having:
            names = list(dict.fromkeys(key for each in having.values() for key in each))
            lines = [[name, *(cell(each.get(key), 4) for key in names)] for name, each in having.items()]
            found.append(f"## Diversity over seeds: {what}\n\n{markdown(['Method', *names], lines)}")
    return "\n\n".join(found)


def _groups(results: Results) -> str:
    having = {name: m for name, m in results["methods"].items() if m.get("groups")}
    if not having:
        return ""
    pieces = []
    groups = list(dict.fromkeys(group for m in having.values() for group in m["groups"]))
    part = "A" if any("A" in values for m in having.values() for values in m["groups"].values()) else "B"
    for key, where in (("psnr", part), ("perceptual", part), ("volume_iou", "mesh")):
        lines = []
        for name, m in having.items():
            values = [m["groups"].get(group, {}).get(where, {}).get(key) for group in groups]
            if any(values):
                lines.append(
                    [name, *(f"{cell(v, COLUMNS[key].digits)} ({v['n']})" if v else "–" for v in values)]
                )
        if lines:
            set_name = f", set {where}" if where != "mesh" else ""
            pieces.append(f"### {_label(COLUMNS[key])}{set_name}\n\n{markdown(['Method', *groups], lines)}")
    return "## By group (n)\n\n" + "\n\n".join(pieces)


def _left_out(results: Results) -> str:
    lines = [
        f"- object {key}: skipped, {facts['reason']}: {facts['error']}"
        for key, facts in results["skipped"].items()
    ]
    for name, m in results["methods"].items():
        if m["failed"]:
            lines.append(f"- {name}: {m['failed']} of {m['rows']} runs gave no mesh (rows.jsonl says why)")
        if m["missing"]:
            lines.append(
                f"- {name}: {m['missing']} of {m['rows']} meshes are missing (rows.jsonl says which)"
            )
        aligned = m["alignment"]
        if aligned and aligned["method"] not in ("box", "none"):
            scale, turned = aligned["scale"], aligned["turned_degrees"]
            lines.append(
                f"- {name}: laid onto the truth by `{aligned['method']}`, scaled by {scale['min']:.3g} to "
                f"{scale['max']:.3g}, "
                f"turned by {turned['median']:.1f}° (median; most {turned['max']:.1f}°)"
            )
    return "## Left out, and aligned\n\n" + "\n".join(lines) if lines else ""


def _cell(results: Results, part: Mapping[str, Any], column: Column) -> str:
    if column.key in results["unavailable"]:
        return "no weights"
    return cell(part.get(column.key), column.digits)


def _count(method: Mapping[str, Any], part: str) -> str:
    return str(max((entry["n"] for entry in method[part].values()), default=0))


def _label(column: Column) -> str:
    return f"{column.label} {_ARROW[column.better]}"
