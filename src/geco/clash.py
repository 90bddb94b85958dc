"""The other package whose import name is ``geco``: GeCO of the registry (generators for combinatorial
optimisation, 1.0.7 of 2021). Installed beside ours, each overwrites ``geco/__init__.py`` of the other.
"""

from __future__ import annotations

from pathlib import Path

from geco.errors import ConfigError

OTHER = "GeCO"
_THEIRS = ("mips/__init__.py", "graphs/chimera.py", "generator.py")  # files of 1.0.7 that ours lacks


def check(package: Path = Path(__file__).parent) -> None:
    """Nothing where our package's folder is ours alone; a look at the disk costs next to nothing.

    Args:
        package: the folder that ``import geco`` reads.

    Raises:
        ConfigError: files of the other package lie in it.
    """
    if not any((package / name).exists() for name in _THEIRS):
        return
    raise ConfigError(
        f"another package, {_named(package.parent)}, is installed over GECO: both are imported as geco and "
        f"share the folder {package}",
        f"Keep them in environments of their own: pip uninstall {OTHER} geco3d, then pip install geco3d.",
    )


def _named(site: Path) -> str:
    """The other distribution with its version, as far as the environment knows it."""
    from importlib.metadata import distributions

    found = (each for each in distributions(path=[str(site)]) if each.metadata["Name"] == OTHER)
    return next((f"{OTHER} {each.version}" for each in found), OTHER)
