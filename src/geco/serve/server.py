"""Start and stop: a bound address and a loaded model before anybody is let in; every admitted
request answered at the end.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import uvicorn

from geco.errors import ConfigError
from geco.serve.admission import CONNECTIONS_END, Line
from geco.serve.app import build
from geco.serve.crew import Crew
from geco.serve.job_store import store_for
from geco.serve.metrics import Metrics
from geco.serve.protocol import Protocol
from geco.serve.security import WILDCARDS, is_public, served_names
from geco.serve.settings import Settings, Traffic
from geco.serve.worker import Loads

log = logging.getLogger("geco.serve")

BACKLOG = 512  # connections that the system holds until they are accepted


class Config(uvicorn.Config):
    """uvicorn's configuration with what our connections need to know."""

    def __init__(self, app: Any, traffic: Traffic, metrics: Metrics, proxies: tuple[str, ...]) -> None:
        self.traffic, self.metrics, self.proxies = traffic, metrics, proxies
        super().__init__(
            app,
            http=Protocol,
            ws="none",
            lifespan="on",
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=bool(proxies),
            forwarded_allow_ips=list(proxies),
            backlog=BACKLOG,
            timeout_keep_alive=max(1, round(traffic.idle_seconds)),
            timeout_graceful_shutdown=traffic.grace * CONNECTIONS_END,  # type: ignore[arg-type]
        )


class Server(uvicorn.Server):
    """uvicorn's server that closes the line before the doors, and ends with an exit code instead of the
    signal.

    Attributes:
        signals: that were caught, in order; a second SIGINT ends at once.
    """

    def __init__(self, config: Config, line: Line) -> None:
        super().__init__(config)
        self.line = line
        self.signals: list[int] = []

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, which raises the signal again at the end."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        # SIGBREAK is Windows' own; a SIGHUP that nohup has turned off stays so.
        known = [getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")]
        numbers = [
            number for number in known if number is not None and signal.getsignal(number) != signal.SIG_IGN
        ]
        before = {number: signal.signal(number, self.handle_exit) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Note the signal, and stop."""
        self.signals.append(sig)
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Nobody comes in any more; who is in is answered, within the grace time."""
        self.line.close()
        await super().shutdown(sockets)


def run(loads: Loads, host: str, port: int, settings: Settings) -> int | None:
    """Serve until a signal; its number.

    Raises:
        ConfigError: the address cannot be listened on. GecoError: the model cannot be loaded.
    """
    sockets = listen(host, port)
    access = settings.access
    names = dict.fromkeys((*access.hosts, *served_names(host)))
    settings = replace(settings, access=replace(access, hosts=tuple(names)))
    own_port = f"{host}-{port}" if port else ""
    store = store_for(settings.keeping, own_port)
    metrics = Metrics()
    crew = Crew(loads, settings.limits, metrics, settings.workers)
    try:
        store.open()  # before the model is loaded: it may not be possible
        crew.start()
        app = build(settings, crew, store)
        server = Server(Config(app, settings.traffic, metrics, access.proxies), app.state.line)
        shown = f"[{host}]" if ":" in host else host
        log.info("serving %s on http://%s:%d", ", ".join(crew.names), shown, sockets[0].getsockname()[1])
        if is_public(host) and access.token is None:
            log.warning("warning: %s can be reached from other machines, and there is no --token", host)
        server.run(sockets=sockets)
    finally:
        crew.stop()
        store.close()
        for each in sockets:
            each.close()
    return server.signals[0] if server.signals else None


def listen(host: str, port: int) -> list[socket.socket]:
    """Sockets bound to every address of ``host``, not yet listening.

    Raises:
        ConfigError: no such port or host, a port in use, or one that this user may not have.
    """
    if not 0 <= port <= 65_535:
        raise ConfigError(f"port {port} is out of range", "Choose 1 to 65535, or 0 for any that is free.")
    try:
        if not host:
            raise OSError("it is empty")
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        remedy = f"Give an address of this machine, 127.0.0.1 say, or {WILDCARDS[0]} for all of them."
        raise ConfigError(f"no address is known for the host {host!r}: {why}", remedy) from None
    sockets: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found[:1] if port == 0 else found):
            made = socket.socket(family, kind, protocol)
            sockets.append(made)
            if sys.platform != "win32":
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            made.bind(address)
            # a port that another process listens on is noticed here, not after the model is loaded
            made.listen(1)
    except OSError as error:
        for each in sockets:
            each.close()
        why = error.strerror or str(error)
        raise ConfigError(
            f"cannot listen on {host} port {port}: {why}", "Choose another --port or --host."
        ) from None
    return sockets
