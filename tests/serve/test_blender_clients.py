"""Two Blender add-ons for Hunyuan3D, as their authors published them, against `geco serve`: the button of
one, the command of the other, and the object in the scene.

Wanted: a Python with `bpy` and `requests` (GECO_BPY, or this one), and a folder of the two files
(GECO_ADDONS, or `addons` in GECO_SHARED): `blender_addon.py` of Tencent-Hunyuan/Hunyuan3D-2 and `addon.py` of
ahujasid/blender-mcp.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.serve.live import ROOT, Live

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def live() -> Iterator[Live]:
    made = Live("-q")
    yield made
    made.kill()


def addon(name: str) -> Path:
    """The file of an add-on, looked for where the module's description says."""
    places = (os.environ.get("GECO_ADDONS"), os.path.join(os.environ.get("GECO_SHARED", ""), "addons"))
    found = [path for path in (Path(place, name) for place in places if place) if path.is_file()]
    if not found:
        pytest.skip(f"no {name} in the folder that GECO_ADDONS names")
    return found[0]


def run(client: str, path: Path, url: str, render: Path) -> dict[str, Any]:
    """What blender_client.py found."""
    python = os.environ.get("GECO_BPY", sys.executable)
    if subprocess.run([python, "-c", "import bpy, requests"], capture_output=True).returncode:
        pytest.skip(f"{python} (GECO_BPY) has no bpy and requests")
    picture = ROOT / "examples" / "bus.png"
    script = Path(__file__).parent / "blender_client.py"
    words = [python, str(script), client, str(path), url, str(picture), str(render)]
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(words, capture_output=True, text=True, timeout=180, env=outside)
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, done.stdout + done.stderr
    return dict(json.loads(lines[0].removeprefix("RESULT ")))


@pytest.mark.parametrize(
    ("client", "name"), [("hunyuan", "blender_addon.py"), ("mcp", "addon.py")], ids=["Tencent", "blender-mcp"]
)
def test_an_unmodified_add_on_puts_a_textured_mesh_into_its_scene(
    live: Live, tmp_path: Path, client: str, name: str
) -> None:
    render = tmp_path / "render.png"
    found = run(client, addon(name), f"http://127.0.0.1:{live.port}", render)
    (mesh,) = found["objects"]
    assert mesh["faces"] > 2000 and mesh["uvs"] == 1 and mesh["images"] == [[512, 512]], found
    assert mesh["size"][2] == min(mesh["size"]), "the bus stands on its wheels, z up"
    if client == "mcp":
        assert found["said"]["result"]["status"] == "DONE"
    from PIL import Image

    colours = Image.open(render).convert("RGB").resize((32, 32))
    yellow = sum(
        r > 150 and g > 100 and b < 100
        for r, g, b in (colours.getpixel((x, y)) for x in range(32) for y in range(32))  # type: ignore[misc]
    )
    assert yellow > 40, "a yellow bus is seen"
