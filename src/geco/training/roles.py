"""The three networks of Stage I, all from the teacher's weights: three networks in full, or three faces of
one backbone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn

from geco.multiview.interface import MultiViewNetwork
from geco.training.adapters import Role, SharedBackbone
from geco.training.copies import copy_of, in_format
from geco.training.stage1_options import Stage1Options
from geco.training.state import first_weights

__all__ = ["FORMATS", "Roles", "copy_of", "module_of", "roles_of"]

FORMATS = {"float32": torch.float32, "bfloat16": torch.bfloat16}  # that the frozen weights may have


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
    """``teacher``, frozen here and in ``options.teacher_format``, with a generator and a student made of it;
    adapters start from ``seed``.

    With ``options.rank`` the teacher is the backbone of all three, which computes activations again as the
    role that had made them.
    """
    frozen = FORMATS[options.teacher_format]
    if options.rank:
        with first_weights(seed, "adapters"):
            shared = SharedBackbone(teacher, ("student", "generator"), options.rank, options.alpha, frozen)
        if options.checkpointing:
            cast(Any, teacher).recompute(shared.recomputed)
        return Roles(shared.role("generator"), shared.role("student"), shared.role(None), shared)
    generator, student = copy_of(teacher), copy_of(teacher)
    in_format(cast(nn.Module, teacher).requires_grad_(False), frozen)
    return Roles(generator, student, teacher)


def second_roles(teacher: MultiViewNetwork, options: Stage1Options, seed: int) -> Roles:
    """A further ``teacher``, frozen here in the same way, and its student; neither generates."""
    frozen = FORMATS[options.teacher_format]
    if options.rank:
        with first_weights(seed, "second adapters"):
            shared = SharedBackbone(teacher, ("student",), options.rank, options.alpha, frozen)
        if options.checkpointing:
            cast(Any, teacher).recompute(shared.recomputed)
        student = shared.role("student")
        return Roles(student, student, shared.role(None), shared)
    copied = copy_of(teacher)
    in_format(cast(nn.Module, teacher).requires_grad_(False), frozen)
    return Roles(copied, copied, teacher)


def module_of(role: MultiViewNetwork) -> nn.Module:
    """What the loop trains, averages and stores of a role: the network, or its adapter alone."""
    return role.module if isinstance(role, Role) else cast(nn.Module, role)
