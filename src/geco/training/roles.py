"""The three networks of Stage I, all from the teacher's weights: three networks in full, or three faces of
one backbone.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, cast

from torch import nn

from geco.multiview.interface import MultiViewNetwork
from geco.training.adapters import Role, SharedBackbone
from geco.training.stage1_options import Stage1Options
from geco.training.state import first_weights


@dataclass(frozen=True)
class Roles:
    """Who is who.

    Attributes:
        generator, student: trained. teacher: frozen.
        backbone: what the three share; None where each is a network of its own.
    """

    generator: MultiViewNetwork
    student: MultiViewNetwork
    teacher: MultiViewNetwork
    backbone: SharedBackbone | None = None

    def final(self) -> Any:
        """The generator as it is saved: a plain network of the teacher's kind."""
        return self.backbone.merged("generator") if self.backbone else self.generator


def roles_of(teacher: MultiViewNetwork, options: Stage1Options, seed: int) -> Roles:
    """``teacher``, frozen here, with a generator and a student made of it; adapters start from ``seed``."""
    if options.rank:
        with first_weights(seed, "adapters"):
            shared = SharedBackbone(teacher, ("student", "generator"), options.rank)
        return Roles(shared.role("generator"), shared.role("student"), shared.role(None), shared)
    generator, student = copy.deepcopy(teacher), copy.deepcopy(teacher)
    cast(nn.Module, teacher).requires_grad_(False)
    return Roles(generator, student, teacher)


def module_of(role: MultiViewNetwork) -> nn.Module:
    """What the loop trains, averages and stores of a role: the network, or its adapter alone."""
    return role.module if isinstance(role, Role) else cast(nn.Module, role)
