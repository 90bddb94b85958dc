"""Small .yaml files that come with public checkpoints, read within limits."""

from __future__ import annotations

import os
from typing import Any

from geco.errors import GecoError, MissingExtraError
from geco.foreign import Fields
from geco.reading import read_regular

MOST_BYTES = 64 * 2**10  # the released ones have less than 2 kB


def read_yaml(path: str | os.PathLike[str], error: type[GecoError], remedy: str = "") -> Fields:
    """The fields of a file that holds one mapping: plain values only, and no anchors, which could unfold to
    any size.

    Raises:
        error: not there, too large, no YAML, or more than plain values. MissingExtraError: no reader.
    """
    try:
        import yaml  # noqa: F401
    except ImportError as missing:
        raise MissingExtraError("PyYAML", "torch", f"reading {os.fspath(path)}") from missing
    where = os.fspath(path)
    data = read_regular(path, MOST_BYTES, error)
    try:
        values = _load(data)
    except Exception as failure:  # scanner, parser, constructor, bytes of no encoding, too deep
        why = (str(failure) or type(failure).__name__).splitlines()[0]
        raise error(f"{where} is no plain YAML ({why})", remedy) from failure
    return Fields(values, where, error, remedy)


def _load(data: bytes) -> Any:
    import yaml

    if any(isinstance(token, yaml.AnchorToken | yaml.AliasToken) for token in yaml.scan(data)):
        raise ValueError("it has anchors")
    return yaml.safe_load(data)
