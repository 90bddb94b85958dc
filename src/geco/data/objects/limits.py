"""How much an object may ask for; checked from headers and counts before anything is allocated."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds on one object. The defaults hold the largest objects of Objaverse and Google Scanned Objects with room.

    Attributes:
        file_bytes: of a file, and of it and all files that it names together.
        faces: triangles of the whole object, after instancing and triangulation.
        texture_pixels: of one picture.
        texture_pixels_total: of all pictures of an object (4 bytes each once decoded).
        json_values: values in a glTF document; 100 to 200 bytes of memory each.
        nodes: of a scene graph.
        depth: levels of a scene graph.
        archive_bytes: of everything in an archive, extracted.
        archive_files: entries of an archive.
        allow_untextured: accept objects without any colour of their own, drawn grey.
    """

    file_bytes: int = 512 << 20
    faces: int = 5_000_000
    texture_pixels: int = 8192 * 8192
    texture_pixels_total: int = 4 * 8192 * 8192
    json_values: int = 2_000_000
    nodes: int = 200_000
    depth: int = 100
    archive_bytes: int = 1 << 30
    archive_files: int = 10_000
    allow_untextured: bool = False
