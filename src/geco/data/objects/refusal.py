"""Why an object is not used: one error with a reason that reports can count."""

from __future__ import annotations

from enum import Enum

from geco.errors import MeshError


class Reason(str, Enum):
    """What is wrong with an object; the values are written to reports and stay stable."""

    MISSING = "missing"  # the file, or one that it names, is not there
    BROKEN = "broken"  # breaks its own format: truncated, false lengths, indices beyond the vertices, cycles
    EMPTY = "empty"  # no triangles
    NO_EXTENT = "no-extent"  # all vertices in one point
    NOT_FINITE = "not-finite"  # NaN or infinity in vertices, texture coordinates, colours or matrices
    TOO_LARGE = "too-large"  # more bytes, JSON values, nodes or levels than the limits
    TOO_MANY_FACES = "too-many-faces"
    TEXTURE_TOO_LARGE = "texture-too-large"
    UNSUPPORTED = "unsupported"  # a format or an extension that no reader here knows
    UNTEXTURED = "untextured"  # neither a texture nor vertex colours nor a material colour
    UNSAFE_PATH = "unsafe-path"  # names a file outside the folder that was given
    UNSAFE_ARCHIVE = "unsafe-archive"  # `..`, absolute names, links, or a zip bomb
    SEVERAL_OBJECTS = "several-objects"  # an archive with more than one object
    CHANGED = "changed"  # the bytes are not those of the manifest's sha256
    INVISIBLE = "invisible"  # every triangle has alpha 0, or lies below its mask's cutoff
    TOO_SLOW = "too-slow"  # reading it takes more processor time than the limits
    # Of the process that reads it (geco.processes), not of the file:
    TIMEOUT = "timeout"
    MEMORY = "memory"
    CRASHED = "crashed"
    ERROR = "error"

    def __str__(self) -> str:
        return self.value


class ObjectError(MeshError):
    """An object that is refused.

    Args:
        reason: kept as ``.reason``, a string as well (``error.reason == "broken"``).
        problem: what is wrong, naming the file.
        remedy: what to do about it.
    """

    def __init__(self, reason: Reason, problem: str, remedy: str = "") -> None:
        super().__init__(problem, remedy)
        self.reason = Reason(reason)

    def __reduce__(self) -> tuple[type[ObjectError], tuple[Reason, str, str]]:
        # Workers send their errors home pickled, and the default would call this class with one argument.
        return ObjectError, (self.reason, self.problem, self.remedy)
