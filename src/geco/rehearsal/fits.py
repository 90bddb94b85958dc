"""Whether a recipe fits a card, and which one does where it does not."""

from __future__ import annotations

from collections.abc import Callable

from geco.errors import ConfigError
from geco.recipes.find import RECIPES
from geco.rehearsal.account import GB, RESERVE, Account

GIB = 1 << 30
CARDS = (8, 12, 16, 24, 32, 40, 48, 80, 141)  # GiB of memory that cards are sold with
BY_CARD = ("card80", "paper", "card24", "card12")  # the full family's, from the largest card down
# An L40 as the paper's, and an H200: sustained operations a second in half precision, by assumption: 44 % and
# 40 % of their data sheets (NVIDIA), which gives the paper's own times of a teacher's 75 steps.
RATES = {"L40": 80e12, "H200": 400e12}


def smallest_card(account: Account) -> int | None:
    """GiB of the smallest card that it fits; None where none is large enough."""
    return next((size for size in CARDS if account.needed <= size * GIB), None)


def refuse_misfit(
    name: str, stage: str, account: Account, memory: int, ask: Callable[[str], Account]
) -> None:
    """Raise ConfigError where a card of ``memory`` bytes is too small, with the nearest recipe that fits.

    Args:
        name: of the recipe. ask: what the stage takes by another one; no more are asked than needed.
    """
    if account.needed <= memory:
        return
    most = max(account.moments, key=lambda moment: account.moments[moment])
    problem = (
        f"{stage} by recipe {name} takes {account.peak / GB:.1f} GB of a card, {most} the most, and CUDA "
        f"{RESERVE / GB:.1f} GB beside them; there are {memory / GB:.1f} GB"
    )
    for other in smaller(name):
        found = ask(other)
        if found.needed <= memory:
            raise ConfigError(problem, f"Take --recipe {other}: {found.peak / GB:.1f} GB.")
    raise ConfigError(problem, "No recipe of ours needs so little; take a larger card.")


def smaller(name: str) -> list[str]:
    """Recipes that take less than ``name``, the nearest first."""
    known = [other for other in BY_CARD if other in RECIPES]
    return known[known.index(name) + 1 :] if name in known else known


def described(account: Account, title: str) -> list[str]:
    """Lines for a terminal: what rests, what each update reaches, operations, and the card."""
    lines = [f"{title}, {account.samples} samples a step; GB on the card, by simulation"]
    rows = [(name, size) for name, size in account.resting.items() if size]
    rows.append(("at rest", sum(account.resting.values())))
    rows += account.moments.items()
    rows.append(("most", account.peak))
    width = max(len(name) for name, _ in rows)
    lines += [f"  {name:{width}} {size / GB:7.2f}" for name, size in rows]
    for name, size in account.host.items():
        lines.append(f"  {name:{width}} {size / GB:7.2f} in host memory instead")
    card = smallest_card(account)
    where = f"a card of {card} GB" if card else "no card there is"
    lines.append(f"  with {RESERVE / GB:.1f} GB for CUDA itself it fits {where}")
    half = sum(count for name, count in account.flop.items() if name != "float32")
    full = account.flop.get("float32", 0)
    times = ", ".join(f"{(half + full) / rate:.1f} s on an {name}" for name, rate in RATES.items())
    lines.append(
        f"  {(half + full) / 1e12:.0f} TFLOP a step ({full / 1e12:.0f} in float32): by arithmetic {times}"
    )
    return lines
