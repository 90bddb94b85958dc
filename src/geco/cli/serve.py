"""``geco serve``: the pipeline behind a REST API and a web page."""

from __future__ import annotations

import argparse
import logging
import sys
from typing import TYPE_CHECKING, Any

from geco.cli import ending, model_options, steering
from geco.cli.layers import Layers
from geco.errors import ConfigError
from geco.memory import size_of

if TYPE_CHECKING:
    from geco.serve import Settings
    from geco.serve.settings import Keeping, Limits, Traffic

MOST_TOKEN = 4096  # bytes of a file that holds one
MIB = 2**20


def add(commands: Any) -> None:
    """Add the command's arguments."""
    from geco.serve.settings import Keeping, Limits, Traffic

    command: argparse.ArgumentParser = commands.add_parser(
        "serve",
        help="a REST API and a web page (extra: web)",
        description="Serve a model: a REST API (described in /openapi.json) and a page to try it. See "
        "docs/serving.md.",
        epilog="Exit code 143 after SIGTERM, 130 after Ctrl-C (both answer first what is admitted), 2 "
        "where it cannot start.",
    )
    model_options.add(command, several=True)
    _number(command, "--workers", "N", 1, "processes that work side by side and share the cores")
    command.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: this machine only)"
    )
    command.add_argument("--port", type=int, default=8000, help="default 8000; 0: any that is free")
    command.add_argument("-q", "--quiet", action="store_true", help="no line for each request")
    steering.add(command.add_argument_group("how views are drawn where a request does not say it"))
    _add_cost(command.add_argument_group("what one request may cost"), Limits())
    _add_traffic(command.add_argument_group("how many clients, and how long"), Traffic())
    _add_jobs(command.add_argument_group("jobs"), Keeping())
    _add_clients(command.add_argument_group("who may ask"))
    # behind all others, which it takes over
    command.set_defaults(function=run, layers=Layers(command))


def _add_cost(cost: Any, limits: Limits) -> None:
    _number(cost, "--max-upload", "MIB", limits.upload / MIB, "size of the picture and its form", float)
    _number(cost, "--max-pixels", "N", limits.pixels, "width x height of the picture")
    _number(cost, "--max-texture", "N", limits.texture, "side of the texture")
    _number(cost, "--max-faces", "N", limits.faces, "faces that may be asked for")
    _number(cost, "--max-resolution", "N", limits.resolution, "cubes a side that may be asked for")
    _number(cost, "--max-steps", "N", limits.steps, "steps that may be asked for, of a teacher")
    _number(cost, "--max-samples", "N", limits.samples, "meshes of one picture in one request")
    _number(cost, "--max-batch", "N", limits.batch, "pictures of one archive")
    _number(cost, "--max-batch-pixels", "N", limits.batch_pixels, "of all its pictures together")
    cost.add_argument(
        "--max-memory",
        metavar="SIZE",
        help="8GB, 500MB: a request that would take more is refused; the device's, or the process's on a CPU",
    )
    _number(
        cost,
        "--time-limit",
        "SECONDS",
        limits.seconds,
        "of work; then the request fails, not the server",
        float,
    )
    _number(
        cost, "--memory", "GIB", limits.memory_gb, "beyond the loaded model, on Linux; 0: no limit", float
    )


def _add_traffic(many: Any, traffic: Traffic) -> None:
    _number(many, "--max-waiting", "N", traffic.waiting, "requests that may wait for their turn")
    _number(many, "--max-connections", "N", traffic.connections, "open at once")
    _number(many, "--per-address", "N", traffic.per_address, "of them from one address")
    _number(
        many, "--upload-time", "SECONDS", traffic.upload_seconds, "until a picture must have arrived", float
    )
    _number(
        many,
        "--head-time",
        "SECONDS",
        traffic.head_seconds,
        "until a request's head must have arrived",
        float,
    )
    _number(many, "--grace", "SECONDS", traffic.grace, "from SIGTERM to the end, for what is admitted", float)


def _add_jobs(jobs: Any, keeping: Keeping) -> None:
    jobs.add_argument(
        "--jobs-dir",
        metavar="DIR",
        help="where jobs and their results are kept, for this server alone (default: in the user's cache, by "
        "host and port)",
    )
    _number(jobs, "--keep", "SECONDS", keeping.seconds, "that a job stays after its end", float)
    jobs.add_argument(
        "--keep-size",
        metavar="SIZE",
        default=f"{keeping.bytes // 10**9}GB",
        help="of all jobs together; beyond, the oldest ended ones go (default %(default)s)",
    )


def _add_clients(who: Any) -> None:
    who.add_argument(
        "--token",
        metavar="TOKEN|@FILE",
        help="wanted as 'Authorization: Bearer TOKEN' by the API (better: $GECO_TOKEN)",
    )
    who.add_argument(
        "--cors", action="append", default=[], metavar="ORIGIN", help="a site whose pages may use the API"
    )
    who.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME", help="a name of this server; * is any"
    )
    who.add_argument(
        "--frame",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="a site that may show the page in a frame of its own",
    )
    who.add_argument(
        "--proxy", action="append", default=[], metavar="ADDRESS", help="whose X-Forwarded-For is believed"
    )


def run(options: argparse.Namespace) -> int:
    """Load the model in its worker, then serve until a signal."""
    from geco.serve import serve

    options.layers.fill(options)
    settings = settings_of(options)
    _log_to_stderr(quiet=options.quiet)
    ended_by = serve(options.model or ["small"], options.host, options.port, options.device, settings)
    print("geco: stopped", file=sys.stderr)
    # as every command: 143 after SIGTERM, 130 after Ctrl-C
    return 0 if ended_by is None else ending.STOPPED + ended_by


def settings_of(options: argparse.Namespace) -> Settings:
    """The options, those of file and environment too, as settings; raises :class:`ConfigError` for one out
    of its range.
    """
    from geco.sampling import Steering
    from geco.serve import Access, Keeping, Limits, Settings, Traffic

    if not options.max_upload < 2**20:  # before it is made a whole number: infinity and NaN are none
        raise ConfigError(f"--max-upload {options.max_upload} is out of range", "Choose MiB, 32 say.")
    limits = Limits(
        upload=int(options.max_upload * MIB),
        pixels=options.max_pixels,
        texture=options.max_texture,
        faces=options.max_faces,
        resolution=options.max_resolution,
        seconds=options.time_limit,
        memory_gb=options.memory,
        steps=options.max_steps,
        samples=options.max_samples,
        batch=options.max_batch,
        batch_pixels=options.max_batch_pixels,
        max_memory=options.max_memory,
    )
    traffic = Traffic(
        waiting=options.max_waiting,
        held=max(Traffic.held, 2 * limits.upload),
        upload_seconds=options.upload_time,
        head_seconds=options.head_time,
        connections=options.max_connections,
        per_address=options.per_address,
        grace=options.grace,
    )
    access = Access(
        _token(options.token),
        tuple(options.cors),
        tuple(options.allow_host),
        tuple(options.frame),
        tuple(options.proxy),
    )
    keeping = Keeping(options.jobs_dir, options.keep, size_of(options.keep_size))
    return Settings(
        limits, traffic, access, Steering(**steering.asked(options)), keeping, workers=options.workers
    )


def _token(token: str | None) -> str | None:
    """The token itself, or from its file."""
    from geco.reading import read_regular

    if token is not None and token.startswith("@"):
        token = read_regular(token[1:], MOST_TOKEN, ConfigError).decode("utf-8", "replace").strip()
    return token


def _number(group: Any, name: str, unit: str, default: float, about: str, kind: type = int) -> None:
    group.add_argument(name, type=kind, default=default, metavar=unit, help=f"{about} (default {default:g})")


def _log_to_stderr(quiet: bool) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("geco: %(message)s"))
    logging.raiseExceptions = False  # nobody may be there to read the log
    log = logging.getLogger("geco.serve")
    log.handlers, log.propagate = [handler], False
    log.setLevel(logging.INFO)
    logging.getLogger("geco.serve.requests").setLevel(logging.WARNING if quiet else logging.INFO)
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # broken forms are answered, not logged
