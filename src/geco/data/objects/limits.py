"""How much an object may ask for; checked from headers and counts before anything of that size is
allocated.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds on one object. The defaults are ours; docs/data-objects.md says what a refusal was measured to
    cost.

    Attributes:
        file_bytes: of a file, and of it and all files that it names together.
        faces: triangles of the whole object, instances and triangulated polygons counted; corners may name
            thrice as many vertices, and all accessors of a glTF together twenty times as many elements.
        empty_elements: elements of glTF accessors without bytes behind them, counted at every reading.
        materials: of an OBJ file and its libraries.
        library_bytes: of one material library.
        texture_pixels: of one picture.
        texture_pixels_total: of all pictures of an object (4 bytes each once decoded); beyond half of that
            they must have a byte for every ``texture_sparseness`` pixels.
        json_bytes: of a glTF document; data URIs count.
        json_values: commas and brackets of a glTF document; each may cost 200 bytes of memory.
        nodes: of a scene graph, and primitives placed by them.
        depth: levels of a scene graph.
        line_bytes: of one line of a text format.
        archive_bytes: of everything in an archive, extracted.
        archive_files: entries of an archive.
        search_files: files among which one that is not where it is named is looked for.
        seconds: of processor time for reading, and one more for each MiB that is read.
        allow_untextured: accept objects without any colour of their own, drawn grey.
    """

    file_bytes: int = 512 << 20
    faces: int = 5_000_000
    empty_elements: int = 4_000_000
    materials: int = 20_000
    library_bytes: int = 32 << 20
    texture_pixels: int = 8192 * 8192
    texture_pixels_total: int = 4 * 8192 * 8192
    texture_sparseness: int = 100
    json_bytes: int = 64 << 20
    json_values: int = 1_000_000
    nodes: int = 100_000
    depth: int = 100
    line_bytes: int = 1 << 20
    archive_bytes: int = 1 << 30
    archive_files: int = 10_000
    search_files: int = 10_000
    seconds: float = 5.0
    allow_untextured: bool = False
