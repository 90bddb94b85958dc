"""A mesh turning, as a film or a sheet of frames. numpy and Pillow; ``.mp4`` needs the extra ``video``."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image

from geco.cameras import INPUT_FOV, INPUT_RADIUS, orbit_poses
from geco.errors import MissingExtraError, OutputError
from geco.files import atomic_path, atomic_write
from geco.images.color import to_bytes
from geco.images.write import encode_picture
from geco.marks import mark_text
from geco.mesh.types import Mesh
from geco.render.shade_numpy import render_mesh
from geco.types import Bytes

ELEVATION = 15.0  # degrees: enough to see the top, not enough to hide the side
FRAMES_A_SECOND = 24


def still(mesh: Mesh, azimuth: float = 0.0, elevation: float = ELEVATION, size: int = 384) -> Bytes:
    """The mesh from one side, on white.

    Args:
        mesh: what is drawn.
        azimuth: degrees from the input side, to the right of who looks at it from there.
        elevation: degrees above the horizon, -90 to 90.
        size: pixels a side.

    Returns:
        (size, size, 3) uint8.
    """
    (pose,) = orbit_poses(np.asarray([azimuth]), elevation, INPUT_RADIUS)
    rgba = render_mesh(mesh, pose, INPUT_FOV, size)
    return to_bytes(rgba[..., :3] * rgba[..., 3:] + (1.0 - rgba[..., 3:]))


def turntable_frames(mesh: Mesh, count: int = 48, size: int = 256) -> list[Bytes]:
    """``count`` pictures (size, size, 3) on white, one turn from the input side, by growing azimuth."""
    return [still(mesh, azimuth, size=size) for azimuth in np.arange(count) * (360.0 / count)]


def save_turntable(
    mesh: Mesh, path: str | os.PathLike[str], size: int = 256, mark: str | None = None
) -> None:
    """Write ``.mp4`` or ``.gif`` (48 frames) or ``.png`` (a sheet of 2 x 4 frames), whole or not at all.

    Args:
        mesh: what turns.
        path: its suffix is the format.
        size: pixels of a frame's side.
        mark: what the file says about itself; None: that GECO made it.

    Raises:
        OutputError: another suffix, or a place that cannot be written. MissingExtraError: ``.mp4`` without
            the extra.
    """
    suffix = Path(path).suffix.lower()
    mark = mark_text("turntable") if mark is None else mark
    if suffix in (".png", ".gif"):
        atomic_write(path, encode_turntable(mesh, suffix, size, mark))
    elif suffix == ".mp4":
        with atomic_path(path) as temporary:
            _save_mp4(turntable_frames(mesh, size=size), temporary, mark)
    else:
        raise OutputError(
            f"{path}: {suffix or 'no suffix'} is not a turntable format", "Use .mp4, .gif or .png."
        )


def encode_turntable(mesh: Mesh, suffix: str, size: int, mark: str) -> bytes:
    """The bytes of a ``.gif`` or ``.png``; arguments as of :func:`save_turntable`."""
    if suffix == ".png":
        frames = turntable_frames(mesh, 8, size)
        rows = [np.concatenate(frames[i : i + 4], axis=1) for i in range(0, len(frames), 4)]
        return encode_picture(Image.fromarray(np.concatenate(rows, axis=0)), "PNG", mark)
    first, *others = (Image.fromarray(frame) for frame in turntable_frames(mesh, size=size))
    duration = round(1000 / FRAMES_A_SECOND)
    return encode_picture(first, "GIF", mark, save_all=True, append_images=others, duration=duration, loop=0)


def _save_mp4(frames: list[Bytes], path: Path, mark: str) -> None:
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise MissingExtraError("imageio-ffmpeg", "video", "an .mp4 turntable") from error
    height, width = frames[0].shape[:2]
    # One thread and no version of the encoder: the same frames give the same file. The mark stands at the
    # beginning.
    exact = ["-threads", "1", "-fflags", "+bitexact", "-flags:v", "+bitexact", "-movflags", "+faststart"]
    writer = imageio_ffmpeg.write_frames(
        str(path), (width, height), fps=FRAMES_A_SECOND, macro_block_size=2,
        output_params=[*exact, "-metadata", f"comment={mark}"],
    )  # fmt: skip
    writer.send(None)
    for frame in frames:
        writer.send(np.ascontiguousarray(frame))
    writer.close()
