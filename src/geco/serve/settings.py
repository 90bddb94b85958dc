"""What the server allows: the cost of a request, the traffic of its clients, and who may ask."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from geco.batches import bound_of
from geco.errors import ConfigError
from geco.sampling import Steering


@dataclass(frozen=True)
class Limits:
    """The most that one request may ask for and take.

    Attributes:
        upload: bytes of a request's body; a 64 megapixel JPEG fits into the default.
        pixels: of the picture, width x height.
        texture: side of the texture in texels. 4096, the most that the pipeline makes, takes a CPU second
            and 0.2 GB more than 512.
        faces: of the mesh that may be asked for.
        resolution: cubes a side of the surface grid; work and memory grow with its cube.
        seconds: of work; then the request fails and the worker is started again.
        memory_gb: GiB that the worker may take beyond the loaded model (Linux); 0 is no limit.
        steps: passes of a model that draws views in many; its own number is lowered to it.
        samples: meshes of one picture that one request may ask for.
        batch: pictures of one archive.
        batch_pixels: of them together, those that became meshes; a hundred of 16 megapixels.
        max_memory: of :meth:`geco.pipeline.GecoPipeline.from_pretrained`: a request that would take more is
            refused, and a model of which none would take less is not served.
    """

    upload: int = 32 * 2**20
    pixels: int = 64_000_000
    texture: int = 4096
    faces: int = 500_000
    resolution: int = 128
    seconds: float = 60.0
    memory_gb: float = 4.0
    steps: int = 75
    samples: int = 16
    batch: int = 100
    batch_pixels: int = 1_600_000_000
    max_memory: str | None = None

    def __post_init__(self) -> None:
        _within("upload limit", self.upload, 1024, 2**31)
        _within("limit of pixels", self.pixels, 256, 10**10)
        _within("texture limit", self.texture, 64, 4096)
        _within("limit of faces", self.faces, 100, 2_000_000)
        _within("resolution limit", self.resolution, 16, 512)
        _within("time limit", self.seconds, 0.1, 86_400)
        _within("memory limit", self.memory_gb, 0, 2**20)
        _within("limit of steps", self.steps, 1, 1000)
        _within("limit of samples", self.samples, 1, 1000)
        _within("limit of pictures in an archive", self.batch, 1, 10_000)
        _within("limit of pixels in an archive", self.batch_pixels, 256, 10**14)
        bound_of(self.max_memory)


@dataclass(frozen=True)
class Traffic:
    """How many clients are served at once, and how long each may take. All own choices.

    Attributes:
        waiting: admitted requests beside the one that is worked on; the next are told when to come back.
        held: bytes of bodies in memory at once, counted as declared.
        upload_seconds: until a body must have arrived.
        upload_rate: bytes a second that a body must keep up after its first five seconds.
        head_seconds: until a request's head must have arrived, and for a refused body to end.
        idle_seconds: that a connection stays open between two requests.
        answer_seconds: without progress until a client that does not take its answer is cut.
        connections: open at once; more are refused as they come.
        per_address: of them from one address; one address also gets at most half of the places in the line.
        grace: seconds from SIGTERM to the end. No more work is admitted than fits into it.
    """

    waiting: int = 16
    held: int = 256 * 2**20
    upload_seconds: float = 30.0
    upload_rate: int = 16 * 1024
    head_seconds: float = 10.0
    idle_seconds: float = 5.0
    answer_seconds: float = 30.0
    connections: int = 512
    per_address: int = 128
    grace: float = 30.0

    def __post_init__(self) -> None:
        _within("number of waiting requests", self.waiting, 0, 10_000)
        _within("bytes held", self.held, 1024, 2**40)
        _within("number of connections", self.connections, 1, 65_536)
        _within("number of connections an address", self.per_address, 1, 65_536)
        _within("upload rate", self.upload_rate, 0, 2**30)
        for name in ("upload_seconds", "head_seconds", "idle_seconds", "answer_seconds", "grace"):
            _within(name.replace("_", " "), getattr(self, name), 0.1, 86_400)


@dataclass(frozen=True)
class Access:
    """Who may ask.

    Attributes:
        token: of the header ``Authorization: Bearer TOKEN`` that the API then wants; None: no authentication.
        origins: of other sites' pages that may use the API (``https://example.org``).
        hosts: names that a request's Host header may carry beside those that are served anyway; ``*`` is any.
        frames: origins of other sites that may show the page in a frame of theirs (a Space's hub).
        proxies: addresses whose ``X-Forwarded-For`` and ``-Proto`` are believed.
    """

    token: str | None = None
    origins: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    frames: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.token is not None and (
            not self.token or not self.token.isascii() or not self.token.isprintable()
        ):
            raise ConfigError(
                "the token is empty or not printable ASCII", "Take letters and digits, 20 or more."
            )
        for origin in (*self.origins, *self.frames):
            scheme, colon, host = origin.partition("://")
            plain = host.isascii() and host.isprintable() and not set(host) & set("/ ;,'\"")
            if scheme not in ("http", "https") or not colon or not host or not plain:
                raise ConfigError(
                    f"{origin!r} is no origin", "Give a scheme and a host, as in https://example.org."
                )


@dataclass(frozen=True)
class Keeping:
    """How long, and where, jobs are kept. All own choices.

    Attributes:
        folder: for this server alone; found again at the next start. None: a new one among the temporary
            files, which goes with the server.
        seconds: that a job stays after its end.
        bytes: of all jobs; beyond, the oldest ended ones go.
        listeners: streams of events open at once; one address gets half of them.
        heartbeat: seconds without an event after which a stream says that it lives.
    """

    folder: str | None = None
    seconds: float = 3600.0
    bytes: int = 10**9
    listeners: int = 64
    heartbeat: float = 15.0

    def __post_init__(self) -> None:
        _within("seconds that jobs are kept", self.seconds, 0.1, 10**8)
        _within("bytes of kept jobs", self.bytes, 10**5, 2**50)
        _within("number of listeners", self.listeners, 0, 65_536)
        _within("heartbeat", self.heartbeat, 0.1, 3600)


@dataclass(frozen=True)
class Settings:
    """All of them; the defaults suit one machine and the embedded model. ``views`` is how views are drawn
    where a request does not say it.
    """

    limits: Limits = field(default_factory=Limits)
    traffic: Traffic = field(default_factory=Traffic)
    access: Access = field(default_factory=Access)
    views: Steering = field(default_factory=Steering)
    keeping: Keeping = field(default_factory=Keeping)
    models: tuple[str, ...] = ("small",)
    workers: int = 1

    def __post_init__(self) -> None:
        _within("number of workers", self.workers, 1, 256)
        if (self.views.steps or 1) > self.limits.steps:
            raise ConfigError(
                f"{self.views.steps} steps are more than this server's limit of {self.limits.steps}",
                "Raise --max-steps, or lower --steps.",
            )


def _within(name: str, value: float, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise ConfigError(f"the {name}, {value}, is out of range", f"Choose {low} to {high}.")
