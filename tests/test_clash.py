"""The other package that is imported as ``geco``: whoever has both is told so in one line."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import geco
from geco import clash
from geco.errors import ConfigError


def install_the_other(package: Path, version: str = "1.0.7") -> None:
    """What pip leaves of GeCO beside and in our package's folder."""
    (package / "mips").mkdir(parents=True)
    (package / "mips" / "__init__.py").touch()
    about = package.parent / f"GeCO-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: GeCO\nVersion: {version}\n")


def test_our_own_folder_is_no_clash() -> None:
    clash.check()


def test_the_other_package_is_named_with_its_version_and_the_way_out(tmp_path: Path) -> None:
    install_the_other(tmp_path / "geco")
    with pytest.raises(ConfigError, match=r"GeCO 1\.0\.7.*pip uninstall GeCO geco3d"):
        clash.check(tmp_path / "geco")


def test_files_that_it_left_behind_are_a_clash_too(tmp_path: Path) -> None:
    (tmp_path / "geco").mkdir()
    (tmp_path / "geco" / "generator.py").touch()
    with pytest.raises(ConfigError, match="GeCO, is installed"):
        clash.check(tmp_path / "geco")


@pytest.mark.parametrize("ours_came_last", [True, False])
def test_the_command_and_the_package_end_in_that_line(tmp_path: Path, ours_came_last: bool) -> None:
    site = tmp_path / "site"
    ignored = shutil.ignore_patterns("assets", "page", "__pycache__")
    shutil.copytree(Path(geco.__file__).parent, site / "geco", ignore=ignored)
    install_the_other(site / "geco")
    if not ours_came_last:
        (site / "geco" / "__init__.py").write_text("from geco.mips import *\n")
    command = [sys.executable, "-m", "geco.cli.main", "info"]
    ended = subprocess.run(command, env={"PYTHONPATH": str(site)}, capture_output=True, text=True)
    assert ended.returncode == 2 and len(ended.stderr.splitlines()) == 1 and "GeCO 1.0.7" in ended.stderr
    if ours_came_last:
        python = [sys.executable, "-c", "from geco import GecoPipeline"]
        ended = subprocess.run(python, env={"PYTHONPATH": str(site)}, capture_output=True, text=True)
        assert "ConfigError: another package, GeCO 1.0.7" in ended.stderr
