"""The extension as one file that Blender installs: ``python -m blender.build``.

It collects the wheels of the base install for a platform and Blender's Python versions, ours among them, and
writes the manifest that names them. What Blender has itself (numpy) is left out, so that nobody's copy is
replaced.
"""

from __future__ import annotations

import argparse
import calendar
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXTENSION = ROOT / "blender" / "extension"
# Blender's name of a platform -> the tags of wheels that run there, the preferred first. Blender 4.5 and 5
# are built for glibc 2.28 and macOS 11 and later.
PLATFORMS = {
    "linux-x64": ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux2014_x86_64"),
    "windows-x64": ("win_amd64",),
    "macos-arm64": ("macosx_14_0_arm64", "macosx_13_0_arm64", "macosx_11_0_arm64"),
}
PYTHONS = ("3.11", "3.13")  # of Blender 4.5 to 5.0, and of 5.1 and later
BUNDLED = ("numpy",)  # with every Blender
# The same build gives the same bytes: the first day that a zip can name.
EPOCH = (1980, 1, 1, 0, 0, 0)


class BuildError(Exception):
    """A wheel that cannot be had, or a manifest that does not fit the package."""


def build(target: str, pythons: Sequence[str], folder: Path) -> Path:
    """The extension's zip in ``folder``.

    Args:
        target: a key of :data:`PLATFORMS`.
        pythons: versions of Python, "3.11".

    Raises:
        BuildError: see there.
    """
    version = package_version()
    with tempfile.TemporaryDirectory() as scratch:
        ours = own_wheel(Path(scratch) / "own")
        wheels = {ours.name: ours}
        for python in pythons:
            wheels |= dependencies(ours, target, python, Path(scratch) / python)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"geco-{version}-{target.replace('-', '_')}.zip"
        _pack(path, manifest(version, target, wheels), wheels)
    return path


def manifest(version: str, target: str, wheels: Iterable[str]) -> str:
    """The manifest with its platform and its wheels' names; raises BuildError where it says another
    version.
    """
    text = (EXTENSION / "blender_manifest.toml").read_text("utf-8")
    if f'\nversion = "{version}"\n' not in text:
        raise BuildError(f"blender_manifest.toml does not say version {version}, the package's")
    listed = "".join(f'  "./wheels/{name}",\n' for name in sorted(wheels))
    head, table, tail = text.partition("\n[permissions]")
    return f'{head}\nplatforms = ["{target}"]\nwheels = [\n{listed}]\n{table}{tail}'


def package_version() -> str:
    """Of the package; read and not imported, since another one may be installed."""
    text = (ROOT / "src" / "geco" / "version.py").read_text("utf-8")
    found = re.search(r'__version__ = "([^"]+)"', text)
    assert found is not None
    return found.group(1)


def own_wheel(folder: Path) -> Path:
    """The package's wheel, made of a copy of this tree: an earlier build's leftovers do not come along."""
    tree, droppings = folder / "tree", shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", tree / "src", ignore=droppings)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, tree)
    _pip("wheel", "--no-deps", "--wheel-dir", str(folder), str(tree))
    return next(folder.glob("geco3d-*.whl"))


def dependencies(ours: Path, target: str, python: str, folder: Path) -> dict[str, Path]:
    """Name -> wheel of all that our wheel needs on a platform, but what Blender has; fetched by pip."""
    tags = [word for tag in PLATFORMS[target] for word in ("--platform", tag)]
    exact = ["--python-version", python, "--implementation", "cp", "--only-binary", ":all:"]
    constraints = ["-c", str(ROOT / "constraints.txt")]
    _pip("download", "--dest", str(folder), *tags, *exact, *constraints, str(ours))
    wheels = {path.name: path for path in folder.glob("*.whl") if path.name != ours.name}
    return {name: path for name, path in wheels.items() if name.split("-")[0] not in BUNDLED}


def _pip(*words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", *words],
        capture_output=True,
        text=True,
        env={**os.environ, "SOURCE_DATE_EPOCH": str(calendar.timegm((*EPOCH, 0, 0, 0)))},
    )
    if done.returncode:
        lines = done.stderr.splitlines()
        errors = [line for line in lines if line.startswith("ERROR")]
        raise BuildError(f"pip {words[0]}: {(errors or lines or ['failed'])[0]}")


def _pack(path: Path, manifest: str, wheels: dict[str, Path]) -> None:
    """Wheels are zips themselves: they are stored as they are."""
    written = path.with_suffix(".part")
    sources = sorted(EXTENSION.glob("*.py"))
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("blender_manifest.toml", EPOCH), manifest)
        for source in (ROOT / "LICENSE", *sources):
            archive.writestr(zipfile.ZipInfo(source.name, EPOCH), source.read_bytes(), zipfile.ZIP_DEFLATED)
        for name, wheel in sorted(wheels.items()):
            archive.writestr(zipfile.ZipInfo(f"wheels/{name}", EPOCH), wheel.read_bytes())
    written.replace(path)


def this_platform() -> str:
    """Blender's name of the machine that this runs on."""
    system = {"Linux": "linux", "Windows": "windows", "Darwin": "macos"}.get(platform.system(), "")
    machine = {"x86_64": "x64", "AMD64": "x64", "arm64": "arm64", "aarch64": "arm64", "ARM64": "arm64"}
    return f"{system}-{machine.get(platform.machine(), '')}"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m blender.build", description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "dist", help="folder (default: dist)")
    parser.add_argument(
        "--platform", choices=(*PLATFORMS, "all"), default=None, help="default: that of this machine"
    )
    parser.add_argument(
        "--python",
        action="append",
        metavar="VERSION",
        help=f"of Blender's own Python (default: {' and '.join(PYTHONS)})",
    )
    asked = parser.parse_args(argv)
    target = asked.platform or this_platform()
    if target not in (*PLATFORMS, "all"):
        parser.error(f"no wheels for this machine ({target}): name a platform")
    for one in PLATFORMS if target == "all" else [target]:
        try:
            path = build(one, asked.python or PYTHONS, asked.output)
        except BuildError as error:
            print(f"error: {one}: {error}", file=sys.stderr)
            return 2
        with zipfile.ZipFile(path) as archive:
            for item in archive.infolist():
                if item.filename.startswith("wheels/"):
                    print(f"{item.file_size / 1e6:7.1f} MB  {item.filename}")
        print(f"{path.stat().st_size / 1e6:7.1f} MB  {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
