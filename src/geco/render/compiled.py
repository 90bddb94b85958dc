"""Loops compiled by numba, kept on disk where this machine lets them be, and compiled anew where it does not.

Compiling takes seconds. numba keeps the result beside the source or in the user's cache; in a container with
a read-only package and no home there is no such place, and that must cost time only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

ADVICE = "set NUMBA_CACHE_DIR to a folder that can be written"


def compiled(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """``numba.njit`` of a function of a module, cached where that is possible; raises ImportError without
    numba.

    A cache that is damaged, full or not to be written is as good as none.
    """
    import numba

    made = numba.njit(**options)(function)
    cache = _cache_of(function)
    if cache is not None:
        made._cache = cache  # what enable_caching() does, with a cache that fails in silence
    return made  # type: ignore[no-any-return]


def cache_problem() -> str | None:
    """Why compiled code cannot be kept between runs, in a line for the user; None where it can,
    or without numba.
    """
    try:
        import numba  # noqa: F401
    except ImportError:
        return None
    if _cache_of(compiled) is not None:
        return None
    return f"compiled code cannot be kept for the next run, which costs seconds each time: {ADVICE}"


def _cache_of(function: Callable[..., Any]) -> Any:
    from numba.core.caching import FunctionCache

    class Cache(FunctionCache):  # type: ignore[misc]
        def load_overload(self, *arguments: Any) -> Any:
            with contextlib.suppress(Exception):  # a pickle cut short can raise nearly anything
                return super().load_overload(*arguments)
            return None

        def save_overload(self, *arguments: Any) -> None:
            with contextlib.suppress(Exception):  # it reads the list of what is there first
                super().save_overload(*arguments)

    try:
        return Cache(function)
    except RuntimeError:  # "no locator available"
        return None
