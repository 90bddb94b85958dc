"""Where Objaverse's files come from: the hub, by its own library (its token, its mirrors, its cache), or a
mirror of the data set over plain HTTP.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from geco.data.fetch import (
    OfflineError,
    Patience,
    Sink,
    Stumble,
    fetch,
    number,
    persist,
    refuse,
)
from geco.errors import GecoError, MissingExtraError

HUB_ID = "allenai/objaverse"  # a data set; as in the source of the package objaverse
LIST_BYTES = 256 << 20  # of a list; the largest of the public ones has 15 MB, 62 MB unpacked
# of a user, by way of an earlier version or of the package objaverse, whose cache it is
KEPT = "~/.objaverse/hf-objaverse-v1"
Accept = Callable[[Path], bool]


def kept() -> Path:
    """:data:`KEPT` of this user."""
    return Path(KEPT).expanduser()


class Source(Protocol):
    """Files of the data set by their paths in it."""

    def list(self, name: str, again: bool = False) -> Path:
        """A list, kept; ``again``: the kept one is of no use. Raises OfflineError, RefusedError."""
        ...

    def object(self, place: str, path: Path, limit: int, accept: Accept) -> str:
        """Bring one object to ``path``; returns and raises as :func:`geco.data.fetch.fetch`."""
        ...


@dataclass(frozen=True)
class Mirror:
    """A folder of the data set's files on any web server; lists are kept in ``kept``."""

    base_url: str
    patience: Patience
    kept: Path

    def list(self, name: str, again: bool = False) -> Path:
        path = self.kept / name
        if again or not path.exists():
            fetch(f"{self.base_url.rstrip('/')}/{name}", path, self.patience, LIST_BYTES)
        return path

    def object(self, place: str, path: Path, limit: int, accept: Accept) -> str:
        return fetch(f"{self.base_url.rstrip('/')}/{place}", path, self.patience, limit, accept)


@dataclass(frozen=True)
class Hub:
    """The public data set. Lists go to the hub's cache, unless the package objaverse has left them in
    ``kept``; objects go to their place at once, from the cache where somebody has put them there.
    """

    patience: Patience
    kept: Path

    def __post_init__(self) -> None:
        try:
            import huggingface_hub  # noqa: F401
        except ImportError as error:
            raise MissingExtraError("huggingface_hub", "objaverse", "Objaverse") from error

    def list(self, name: str, again: bool = False) -> Path:
        if not again and (self.kept / name).exists():
            return self.kept / name
        return persist(
            f"{HUB_ID}/{name}", self.patience, lambda: Path(_asked(name, lambda: _cached(name, again)))
        )

    def object(self, place: str, path: Path, limit: int, accept: Accept) -> str:
        return fetch(place, path, self.patience, limit, accept, _receive)


def _cached(name: str, again: bool) -> str:
    from huggingface_hub import hf_hub_download

    return hf_hub_download(HUB_ID, name, repo_type="dataset", force_download=again)


def _receive(place: str, sink: Sink, timeout: float) -> None:
    """One file of the hub: from its cache, else by one request (a look at it first would double them, and the
    hub counts).
    """
    from huggingface_hub import hf_hub_url, try_to_load_from_cache
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers, disable_progress_bars

    cached = try_to_load_from_cache(HUB_ID, place, repo_type="dataset")
    if isinstance(cached, str):
        with Path(cached).open("rb") as file:
            while block := file.read(1 << 20):
                sink.write(block)
        return
    disable_progress_bars("huggingface_hub.http_get")  # the objects have one for all
    url, headers = hf_hub_url(HUB_ID, place, repo_type="dataset"), build_hf_headers()
    _asked(place, lambda: http_get(url, sink, headers=headers), sink)  # type: ignore[arg-type]


def _asked(name: str, ask: Callable[[], Any], sink: Sink | None = None) -> Any:
    """What ``ask`` gives; what huggingface_hub raises as Stumble, RefusedError or OfflineError."""
    from huggingface_hub import constants
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    what = f"{HUB_ID}/{name}"
    try:
        return ask()
    except (GecoError, Stumble):
        raise
    except LocalEntryNotFoundError as error:  # not in the cache, and the hub is not reached
        if constants.HF_HUB_OFFLINE:
            raise OfflineError(
                f"{what} is not in the cache, and HF_HUB_OFFLINE is set", "Unset it."
            ) from error
        raise Stumble("the hub cannot be reached") from error
    except HfHubHTTPError as error:
        status = getattr(error.response, "status_code", 503)
        headers = getattr(error.response, "headers", {})
        refuse(what, status, "(access to it, or a token: HF_TOKEN)" if status in (401, 403) else "")
        raise Stumble(f"HTTP status {status}", number(headers.get("Retry-After")) or 0) from error
    except Exception as error:
        if sink is not None and sink.failed is error:
            raise
        if constants.HF_HUB_OFFLINE:
            raise OfflineError(f"{what} is not here, and HF_HUB_OFFLINE is set", "Unset it.") from error
        # lines that break: of the system, or of the library's HTTP client, whose errors are no OSError
        if isinstance(error, OSError) or "httpx" in type(error).__module__:
            raise Stumble((str(error) or type(error).__name__).splitlines()[0]) from error
        raise
