"""What rendering one object is, and rendering many into a folder of shards: here, or on a Ray
cluster, to the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, cast

from geco.data.objects import Limits, ObjectSource, TexturedObject
from geco.data.objects.storage import is_regular
from geco.data.render import AmbientOcclusion, Views, render_views
from geco.data.render.types import Cycles, Studio
from geco.data.shards import CHANNELS, PictureSet, ShardWriter, encode_object, write_piece
from geco.data.shards.format import plain
from geco.data.shards.writer import OBJECTS_A_SHARD
from geco.data.view_sets import Cameras, view_rng, view_set
from geco.errors import ConfigError
from geco.processes import Outcome
from geco.reading import sha256_of

Renderer = Literal["own", "blender", "studio"]
CONVENTIONS = (
    "world z up, front on +x; camera x right, y up, looks along -z; lens: focal, cx, cy divided "
    "by the image size"
)


@dataclass(frozen=True)
class RenderSettings:
    """What decides the bytes of an object's pictures, besides its file.

    Attributes:
        sets: names of view sets (:mod:`geco.data.view_sets`).
        size: pixels of a side.
        channels: "rgba" and any of "depth", "normal", "position".
        seed: of the random cameras and lights, and of the order of the objects.
        allow_untextured: draw objects without any colour in grey rather than skip them.
        read_seconds: of processor time for reading an object, and one more for each MiB; it decides no bytes.
        renderer: "own"; "blender" for the same light by Cycles; "studio" for Cycles with photo-like light and
            materials.
        occlusion: strength of our own renderer's ambient occlusion, 0 to 1.
    """

    sets: tuple[str, ...]
    size: int
    channels: tuple[str, ...] = ("rgba", "depth")
    seed: int = 0
    allow_untextured: bool = False
    renderer: Renderer = "own"
    occlusion: float = 0.0
    read_seconds: float = Limits.seconds

    def __post_init__(self) -> None:
        for what, names in (("view set", self.sets), ("channel", self.channels)):
            if not names or len(set(names)) < len(names):
                raise ConfigError(f"{what}s {','.join(names) or 'none'}", "Name at least one, and each once.")
        for name in set(self.channels) - set(CHANNELS):
            raise ConfigError(f"unknown channel {name!r}", f"Known: {', '.join(CHANNELS)}.")
        if "rgba" not in self.channels:
            raise ConfigError(
                "pictures without the channel rgba", f"Add it: --channels rgba,{','.join(self.channels)}."
            )
        if not 8 <= self.size <= 4096:
            raise ConfigError(f"pictures of {self.size} pixels", "A size between 8 and 4096 makes sense.")
        if self.occlusion and (self.renderer != "own" or not 0 <= self.occlusion <= 1):
            raise ConfigError(
                f"occlusion {self.occlusion} with the renderer {self.renderer!r}",
                "It is our own renderer's, 0 to 1.",
            )
        if not self.read_seconds > 0:
            raise ConfigError(f"{self.read_seconds} seconds for reading an object", "Give more than 0.")
        if self.seed < 0:
            raise ConfigError(f"the seed {self.seed}", "Seeds are not negative.")
        for name in self.sets:
            view_set(name)

    def described(self) -> dict[str, Any]:
        """For ``index.json``."""
        sets = [
            {"name": name, "count": view_set(name).count, "fixed": view_set(name).fixed} for name in self.sets
        ]
        more = {
            name: getattr(self, name)
            for name in ("size", "seed", "allow_untextured", "renderer", "occlusion")
        }
        return {"sets": sets, "channels": list(self.channels), **more}

    def fixed_cameras(self) -> dict[str, Any]:
        """``cameras.json``: the cameras of every set; null where they differ from object to
        object (``KEY.json`` has those).
        """
        sets: dict[str, Any] = {}
        for name in self.sets:
            views = view_set(name)
            sets[name] = {"count": views.count, "cameras": None}
            if views.fixed:
                cameras = views.cameras(cast(Any, None), cast(Any, None))
                columns = zip(plain(cameras.c2w), plain(cameras.lenses), cameras.facts)
                sets[name]["cameras"] = [
                    {"c2w": c2w, "lens": lens, "facts": facts} for c2w, lens, facts in columns
                ]
        return {"conventions": CONVENTIONS, "sets": sets}


def render_piece(source: ObjectSource, settings: RenderSettings) -> bytes:
    """One object as a piece of a shard; the bytes depend on the file and the settings only.

    Raises:
        ObjectError: the object cannot be used; ``.reason`` says why.
    """
    obj = source.load(Limits(allow_untextured=settings.allow_untextured, seconds=settings.read_seconds))
    sets: dict[str, PictureSet] = {}
    for name in settings.sets:
        cameras = view_set(name).cameras(obj, view_rng(settings.seed, source.identity, name))
        views = draw(obj, cameras, settings)
        channels = {channel: getattr(views, channel) for channel in settings.channels}
        sets[name] = PictureSet(cameras.c2w, cameras.lenses, channels, cameras.facts)
    described = {
        name: getattr(source, name) for name in ("licence", "author", "category") if getattr(source, name)
    }
    info = {
        **described,
        "file": source.name,
        "sha256": source.sha256.lower() or sha256_of(source.path),  # the manifest's was checked while loading
        "transform": obj.transform.tolist(),  # file coordinates to the world of the cameras, column vectors
        "faces": len(obj.faces),
    }
    if source.source:
        info["source"] = source.source
    if obj.notes:
        info["notes"] = obj.notes
    return encode_object(source.key, info, sets)


def draw(obj: TexturedObject, cameras: Cameras, settings: RenderSettings) -> Views:
    """One set's pictures by the renderer of the settings."""
    where = (obj, cameras.c2w, cameras.lenses, settings.size, cameras.lights, settings.channels)
    if settings.renderer == "own":
        return render_views(*where, AmbientOcclusion(settings.occlusion) if settings.occlusion else None)
    from geco.data.render import blender

    return blender.render_views(*where, Cycles(Studio() if settings.renderer == "studio" else None))


class Pool(Protocol):
    """What runs jobs: ``Workers`` or ``RayWorkers``."""

    def run(self, jobs: Iterable[tuple[str, Any]]) -> Iterator[Outcome]: ...


@dataclass(frozen=True)
class RenderTask:
    """One object, its settings, and the folder that its piece goes to."""

    folder: Path
    source: ObjectSource
    settings: RenderSettings


def render_task(task: RenderTask) -> None:
    """Render and write the piece: what every worker does, on whichever machine."""
    write_piece(task.folder, task.source.key, render_piece(task.source, task.settings))


def open_shards(
    folder: Path,
    sources: Sequence[ObjectSource],
    settings: RenderSettings,
    more: dict[str, Any] | None = None,
    objects_a_shard: int = OBJECTS_A_SHARD,
) -> ShardWriter:
    """The writer for these objects; raises as :class:`ShardWriter` does, before any work."""
    sizes = "\n".join(f"{source.key} {_size(source.path)}" for source in sources)
    described = {
        **settings.described(),
        "sources_sha256": hashlib.sha256(sizes.encode()).hexdigest(),
        **(more or {}),
    }
    keys = [source.key for source in sources]
    return ShardWriter(
        folder, described, keys, objects_a_shard, extra={"cameras.json": settings.fixed_cameras()}
    )


def render_shards(
    writer: ShardWriter,
    sources: Sequence[ObjectSource],
    settings: RenderSettings,
    pool: Pool,
    progress: Callable[[Outcome], None] = lambda outcome: None,
) -> dict[str, Any]:
    """Render what is pending and finish the folder; returns its index.

    Args:
        progress: called after each object.
    """
    of_key = {source.key: source for source in sources}
    tasks = ((key, RenderTask(writer.folder.absolute(), of_key[key], settings)) for key in writer.pending)
    for outcome in pool.run(tasks):
        if outcome.reason is None:
            writer.done(outcome.key)
        else:
            writer.skip(outcome.key, outcome.reason, outcome.message)
        progress(outcome)
    return writer.finish()


def in_order(sources: Iterable[ObjectSource], seed: int) -> list[ObjectSource]:
    """Mixed, so that a shard is a sample of the whole; an object more or less does not move the others."""
    return sorted(sources, key=lambda source: hashlib.sha256(f"{seed}/{source.key}".encode()).digest())


def hold_out(sources: Sequence[ObjectSource], count: int) -> list[ObjectSource]:
    """The ``count`` objects with the smallest hash of their place: the same choice whatever else
    the folder holds.
    """
    hashed = {
        source.key: hashlib.sha256(source.identity.encode("utf-8", "surrogatepass")).hexdigest()
        for source in sources
    }
    return sorted(sources, key=lambda source: hashed[source.key])[:count]


def _size(path: Path) -> int | None:
    return path.stat().st_size if is_regular(path) else None
