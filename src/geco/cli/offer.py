"""A public model that is not here yet, fetched by the command that wants it: ``--get``, or a yes."""

from __future__ import annotations

import os
import sys

from geco.model_files.products import Product, find_product, offer


def make_ready(model: str, get: bool, quiet: bool, device: str | None = None) -> None:
    """Get the product that ``model`` names where it is not here and is wanted; else nothing is done, and
    loading it says how to get it.

    Args:
        get: it is wanted. quiet: nobody is to be asked.
        device: where it shall run, looked at before gigabytes are fetched.

    Raises:
        ConfigError: there is no such device. Else as :func:`geco.getting.get`.
    """
    product = find_product(model)
    if product is None or model != product.name or os.path.isdir(model) or product.is_here():
        return
    if get or (not quiet and _says_yes(product)):
        from geco.getting import get as fetch

        _check_device(device)
        fetch(product.name)


def _check_device(device: str | None) -> None:
    try:
        from geco.device import choose
    except ImportError:  # getting the model says what is missing
        return
    choose(device)


def _says_yes(product: Product) -> bool:
    """Whether somebody sits at a terminal and wants it."""
    if not (sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    print(f"geco: {offer(product)}\nGet it now? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
