"""Errors that a user can act on: each names the thing that is wrong and the remedy.

The command line prints them as one line and exits with code 2; nothing else is caught there, so a
traceback always means a bug of ours.
"""

from __future__ import annotations

import unicodedata

# Control characters, lone surrogates (bytes of a name that is no UTF-8), and Unicode's own line and paragraph
# ends.
_UNPRINTABLE = {"Cc", "Cs", "Zl", "Zp"}


def one_line(text: str) -> str:
    """``text`` as any terminal and any log takes it: what would end the line or stop the encoder is written
    as Python does, so that a name with a line's end in it stays a name.
    """
    if text.isprintable():
        return text
    return "".join(
        c.encode("unicode_escape").decode() if unicodedata.category(c) in _UNPRINTABLE else c for c in text
    )


class GecoError(Exception):
    """Base of every error that GECO raises on purpose.

    Args:
        problem: what is wrong, naming the file, key or option.
        remedy: what to do about it; printed after the problem.
    """

    def __init__(self, problem: str, remedy: str = "") -> None:
        self.problem = one_line(problem)
        self.remedy = one_line(remedy)
        super().__init__(f"{self.problem}. {self.remedy}" if remedy else self.problem)


class InputImageError(GecoError):
    """A picture that cannot be read or holds no object."""


class OutputError(GecoError):
    """A place or a format that cannot be written."""


class WeightsError(GecoError):
    """Weights that are missing, truncated, of a wrong shape or of a wrong hash."""


class MeshError(GecoError):
    """A mesh or a field with nothing usable in it."""


class ConfigError(GecoError):
    """An option or a setting out of its range."""


class MissingExtraError(GecoError):
    """An optional dependency that is not installed.

    Args:
        package: the distribution that is missing.
        extra: the extra of ``geco3d`` that installs it.
        purpose: what it was needed for.
    """

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs {package}, which is not installed",
            f"Install it with: pip install 'geco3d[{extra}]'",
        )
