"""Khronos' validator over every variant of a GLB, USD's own over every variant of a USDZ.

The validator is npm's package ``gltf-validator``: ``GECO_NODE_MODULES`` names the folder that it was
installed into (``npm install --prefix DIR gltf-validator``, then ``DIR/node_modules``).
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from geco.asset_options import AssetOptions
from geco.pipeline import GecoPipeline
from tests.mesh.test_export_usdz import usd_complaints

TREE = Path(__file__).parent.parent.parent
MODULES = os.environ.get("GECO_NODE_MODULES", "")
SIZES = {"resolution": 24, "texture_size": 128}
SHAPES = {
    "plain": AssetOptions(**SIZES),
    "large": AssetOptions(resolution=24, texture_size=2048),
    "colors": AssetOptions(resolution=24, vertex_colors=True, lods=(600, 200), collision=True),
    "bent": AssetOptions(**SIZES, faces=400, normal_map=True),
    "levels": AssetOptions(**SIZES, lods=(600, 300, 150), normal_map=True, collision=True),
    "printed": AssetOptions(**SIZES, watertight=True, projection=False),
}
# what the validator tells of Draco, whose streams it cannot read
KNOWN = ("UNSUPPORTED_EXTENSION", "UNUSED_OBJECT")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pipeline() -> GecoPipeline:
    return GecoPipeline.from_pretrained("small")


@pytest.mark.skipif(not MODULES or shutil.which("node") is None, reason="no node, or GECO_NODE_MODULES unset")
@pytest.mark.parametrize("shape", SHAPES)
def test_the_validator_of_khronos_has_nothing_to_say(
    tmp_path: Path, pipeline: GecoPipeline, shape: str
) -> None:
    asset = pipeline(TREE / "examples" / "bus.png", 0, SHAPES[shape])
    ways = ("none", "draco") if find_spec("DracoPy") else ("none",)
    for kind, pivot, way in itertools.product(("jpeg", "png", "webp"), ("center", "base"), ways):
        asset.save(tmp_path / f"{kind}-{pivot}-{way}.glb", kind, pivot=pivot, compression=way)
    files = sorted(map(str, tmp_path.glob("*.glb")))
    assert len(files) == 6 * len(ways) * (1 + len(asset.mesh.beside))
    command = ["node", str(Path(__file__).with_name("khronos.cjs")), *files]
    told = subprocess.run(command, env={**os.environ, "NODE_PATH": MODULES}, capture_output=True, text=True)
    reports = [json.loads(line) for line in told.stdout.splitlines()]
    assert len(reports) == len(files), told.stderr
    for report in reports:
        left = [each for each in report["messages"] if not each.startswith(KNOWN)]
        assert (report["errors"], report["warnings"], left) == (0, 0, []), report
        if "-none" in report["file"]:
            assert report["messages"] == [], report


@pytest.mark.parametrize("shape", SHAPES)
def test_usd_has_nothing_to_say(tmp_path: Path, pipeline: GecoPipeline, shape: str) -> None:
    pytest.importorskip("pxr")
    asset = pipeline(TREE / "examples" / "bus.png", 0, SHAPES[shape])
    for kind in ("jpeg", "png"):
        for path in asset.save(tmp_path / f"{kind}.usdz", kind):
            assert usd_complaints(path) == []
