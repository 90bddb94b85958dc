"""Compares a wheel with the package's own files as git knows them, and states sizes.

python .ci/distribution_content.py DIST
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
# What nobody could do without: the embedded weights, the page, its viewer and the note of their licences.
NEEDED = (
    "geco/assets/small/multiview/network.safetensors",
    "geco/assets/small/reconstructor/model.safetensors",
    "geco/assets/small/onnx/views.onnx",
    "geco/serve/page/index.html",
    "geco/serve/page/vendor/model-viewer.min.js",
    "geco/serve/page/vendor/model-viewer.LICENSE.txt",
    "geco/evaluate/html/page.css",
    "geco/py.typed",
)


def main(dist: Path) -> int:
    """Print the sizes; the exit code says whether the content is right."""
    (wheel,), (sdist,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        inside = {info.filename: info for info in archive.infolist() if ".dist-info/" not in info.filename}
        wrong = [name for name in inside if archive.read(name) != _own(name)]
        licensed = any(name.endswith(".dist-info/licenses/LICENSE") for name in archive.namelist())
    listed = subprocess.run(
        ["git", "ls-files", "src/geco"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    own = {line.removeprefix("src/") for line in listed.stdout.splitlines()}
    missing = sorted({*own, *NEEDED} - inside.keys())
    for label, names in [("not in the wheel", missing), ("not ours", sorted(wrong))]:
        for name in names:
            print(f"{wheel.name}: {label}: {name}")
    if not licensed:
        print(f"{wheel.name}: without LICENSE")
    weights = sum(info.file_size for name, info in inside.items() if name.startswith("geco/assets/small"))
    unpacked = sum(info.file_size for info in inside.values())
    print(
        f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB, {unpacked / 1e6:.1f} MB unpacked, of which "
        f"{weights / 1e6:.1f} MB weights; {sdist.name}: {sdist.stat().st_size / 1e6:.1f} MB"
    )
    return 1 if missing or wrong or not licensed else 0


def _own(name: str) -> bytes | None:
    path = ROOT / "src" / name
    return path.read_bytes() if path.is_file() else None


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
