"""Teacher pairs as Stage I reads them: for the regression warm-up and as what is real to the
adversarial term.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from geco.errors import ConfigError
from geco.training.pairs import TEACHER, Pairs
from geco.training.stage1_options import Stage1Options


class TeacherPairs:
    """A :class:`geco.training.stage1.PairSource` over a folder of pairs.

    Args:
        folder: made by :func:`geco.training.pair_work.make_pairs`, or several such.
        shape: of one sample of the networks that are trained, in the codec's space.
        seed: of the order.

    Raises:
        ConfigError: there are no pairs, or their samples have another shape: views of another size or of
            another family.
    """

    def __init__(self, folder: Path | Sequence[Path], shape: tuple[int, ...], seed: int = 0) -> None:
        self._pairs, self._shape, self._seed = Pairs(folder), tuple(shape), seed
        where = self._pairs.where
        if not len(self._pairs):
            raise ConfigError(
                f"all pairs in {where} were without a surface and left out", "Make more, of other pictures."
            )
        if (truth := self._pairs.settings["truth"]) != TEACHER:
            raise ConfigError(
                f"the pairs in {where} hold {truth}, not {TEACHER}",
                "Make pairs without --generator and --true-views.",
            )
        found = self._pairs.shape
        if found != self._shape:
            raise ConfigError(
                f"the pairs in {where} hold samples of shape {_by(found)}, the model in --init makes "
                f"{_by(self._shape)}",
                "Make pairs with that model: geco distill pairs --init.",
            )

    def pairs(self, index: int, size: int) -> tuple[Tensor, Tensor, Tensor]:
        """Micro-batch ``index``: pictures (size, 3, H, W) in [0, 1], z and the teacher's x0
        (size, *shape), float32.
        """
        return self._pairs.pairs(index, size, self._shape, self._seed)

    @property
    def facts(self) -> dict[str, Any]:
        """For the model's card: how many pairs, and how the teacher made them."""
        return {"count": len(self._pairs)} | {
            name: self._pairs.settings[name] for name in ("steps", "guidance_scale", "seed")
        }


def find_pairs(
    options: Stage1Options, folder: Path | Sequence[Path] | None, shape: tuple[int, ...], seed: int = 0
) -> TeacherPairs | None:
    """The pairs that ``options`` ask for; None where they ask for none. Says so where the pairs' guidance is
    another.

    Raises:
        ConfigError: pairs are needed and ``folder`` is None, or the reverse; others as :class:`TeacherPairs`.
    """
    wanted = [name for name in ("regression_steps", "adversarial_weight") if getattr(options, name)]
    if folder is None:
        if wanted:
            raise ConfigError(
                f"the recipe's {' and '.join(wanted)} of Stage I needs teacher pairs",
                "Give --pairs DIR, made by geco distill pairs, or set it to 0.",
            )
        return None
    if not wanted:
        raise ConfigError(
            "--pairs is given, but the recipe's regression_steps and adversarial_weight are 0: "
            "nothing would read them",
            "Leave --pairs out, or add --set regression_steps=N or --set adversarial_weight=W.",
        )
    found = TeacherPairs(folder, shape, seed)
    guidance = found.facts["guidance_scale"]
    if options.generator_guidance == 1.0 and guidance != options.guidance_scale:
        print(
            f"the pairs were made with guidance {guidance:g}, the scores take {options.guidance_scale:g}",
            flush=True,
        )
    return found


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
