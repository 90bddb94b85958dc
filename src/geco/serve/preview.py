"""What the page shows of a mesh, as JSON."""

from __future__ import annotations

import base64
import io
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geco.asset import Asset


def describe(asset: Asset, **file: Any) -> bytes:
    """What the page shows, as JSON: the GLB, the cut-out picture and the sheet of six views in
    base64, and the facts.
    """
    from geco.images import views_to_sheet
    from geco.mesh.export.metadata import plain

    shown = {
        "glb": base64.b64encode(_shown(asset, file)).decode(),
        "picture": _png(asset.picture),
        "views": _png(views_to_sheet(asset.views)),
        "seed": asset.seed,
        "model": asset.model,
        "faces": len(asset.mesh.faces),
        "timings": asset.timings,
        "facts": asset.facts,
    }
    return json.dumps(plain(shown), allow_nan=False).encode()


def _shown(asset: Asset, file: dict[str, Any]) -> bytes:
    """The GLB without what is beside it, as viewers read it without a decoder."""
    return next(iter(asset.encode("glb", **{**file, "compression": "none"}).values()))


def _png(picture: Any) -> str:
    """(H, W, 3|4) float in [0, 1] -> PNG in base64."""
    import numpy as np
    from PIL import Image

    from geco.images import to_bytes

    buffer = io.BytesIO()
    Image.fromarray(to_bytes(np.asarray(picture))).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()
