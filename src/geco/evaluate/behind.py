"""What may stand behind a method's name: ``teacher-28@clean@guidance-3``."""

from __future__ import annotations

from typing import Any, get_args

from geco.asset_options import AssetOptions
from geco.errors import ConfigError
from geco.sampling import Reference, Steering, Walking

SETTINGS = (
    "the truncation of a one-step generator's noise, 0 to 1, or steps-N, guidance-G, ddim, euler-ancestral, "
    "clean or noised, or best-K (of up to 16 seeds); steps-N (updates) and guidance-G behind optimize-sds "
    "and optimize-vsd"
)
BEST_OF = "best_of"  # what of it is not Steering's
EXAMPLE = "Write geco@1 or teacher-28@clean, for example."


def settings_of(name: str, text: str) -> dict[str, Any]:
    """What the text behind a name's first ``@`` says, by the names of :class:`geco.sampling.Steering`, and
    ``best_of``.

    Raises:
        ConfigError: it says something else, or something out of range; ``name`` is the whole of it.
    """
    asked: dict[str, Any] = {}
    try:
        for part in text.split("@"):
            word, dash, number = part.partition("-")
            if part in get_args(Reference):
                asked["reference"] = part
            elif part in get_args(Walking):
                asked["sampler"] = part
            elif dash and word in ("steps", "guidance"):
                asked[word] = int(number) if word == "steps" else float(number)
            elif dash and word == "best":
                asked[BEST_OF] = int(number)
                AssetOptions(best_of=asked[BEST_OF])
            else:
                asked["truncation"] = float(part)
        Steering(**{name: value for name, value in asked.items() if name != BEST_OF})
    except (ValueError, ConfigError) as error:
        raise ConfigError(f"{name}: what stands behind @ is {SETTINGS}", EXAMPLE) from error
    return asked
