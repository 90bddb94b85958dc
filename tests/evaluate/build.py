"""Rows and settings of a small report."""

from __future__ import annotations

from typing import Any

SETTINGS: dict[str, Any] = {
    "methods": {"geco": {"kind": "model"}, "other": {"kind": "meshes"}},
    "common": {"objects": {"a": "", "b": "", "<i>c": ""}},
}


def row(column: str, key: str, seed: int, psnr: float | None, **more: Any) -> dict[str, Any]:
    base, _, variant = column.partition("+")
    scores = {} if psnr is None else {"A": {"psnr": psnr, "lpips_vgg": None}, "mesh": {"chamfer": psnr / 100}}
    return {
        "method": column,
        "base": base,
        "variant": variant or "bare",
        "object": key,
        "seed": seed,
        "status": "ok",
        "seconds": 1.0 + seed,
        "stages": {"views": 0.5, "total": 1.0 + seed},
        "memory": {"peak_mb": 10.0 + seed, "gpu_mb": None},
        **scores,
        **more,
    }


ROWS = [
    row("geco", "b", 1, 14.0),
    row("geco", "a", 0, 10.0),
    row("geco", "a", 1, 12.0),
    row("geco", "b", 0, 20.0),
    row("geco+finish", "a", 0, 11.0),
    row("other", "a", 0, None, status="missing", error="no mesh"),
    {
        "method": "",
        "object": "<i>c",
        "seed": 0,
        "status": "skipped",
        "reason": "broken",
        "error": "<script>x</script>",
    },
]
