"""The paper's distillation on other cards than its own of 48 GB: what each gives up, and what it gains.

Four pictures a step on every card, but for the largest, so that a run means the same. What a recipe does not
name is the paper's (:mod:`geco.recipes.paper`).
"""

from __future__ import annotations

from dataclasses import replace

from geco.recipes.paper import paper
from geco.recipes.recipe import Recipe


def card12() -> Recipe:
    """The paper's distillation on a card of 12 GB: low-rank adapters on one frozen backbone."""
    made = paper()
    stage1 = replace(
        made.stage1,
        batch=2,  # twice, in micro-batches: four pictures a step as in the paper's recipe
        rank=64,  # SwiftBrush's
        alpha=None,  # 108, SwiftBrush's at this rank
        teacher_format="bfloat16",  # the backbone of all three roles: 1.7 GB, and no weight is cast in a step
        # Ours. An adapter begins at nothing, and Adam's step moves it whatever the gradient's size: by
        # arithmetic 1e-5 moves a weight of the network about twice as far as 1e-6 in full.
        rate=1e-5,
        student_rate=1e-3,  # SwiftBrush's, whose student is an adapter too
        checkpointing=True,  # activations would take 5 GB a picture
        optimizer="fused",  # of the adapters alone, so eight bits would save little
        average_on="device",  # of the adapter alone
    )
    # InstantMesh is trained in full here too: 2.3 GB less of Adam's state, 1.5 GB less of the average
    stage2 = replace(made.stage2, optimizer="adam8bit", average_on="host")
    lengths = made.lengths | {"stage1": replace(made.lengths["stage1"], accumulate=2)}
    return replace(made, name="card12", stage1=stage1, stage2=stage2, lengths=lengths)


def card24() -> Recipe:
    """The paper's distillation on a card of 24 GB: every weight is trained, as in the paper."""
    made = paper()
    stage1 = replace(
        made.stage1,
        batch=4,  # as the paper's recipe; it needs cached latents, the codec's 3 GB would not fit beside it
        teacher_format="bfloat16",  # 1.7 GB less, and its weights are not cast in every pass
        optimizer="adam8bit",  # 10 GB less: two bytes a weight instead of eight
        average_on="host",  # 3.5 GB less, for 7 GB of the host's memory
        checkpointing=True,  # 15 GB less
    )
    # Stage II as the paper's: a step takes the memory of one pair
    return replace(made, name="card24", stage1=stage1)


def card80() -> Recipe:
    """The paper's distillation on a card of 80 GB: nothing computed twice, twice the pictures a step."""
    made = paper()
    stage1 = replace(
        made.stage1,
        batch=8,  # ours: by arithmetic 66 GB without checkpointing, and less noise in every step
        checkpointing=False,  # a fifth of the work less, for 4.4 GB a picture
    )
    pairs = replace(made.pairs, chunk=4)  # four pictures through the teacher at once: fewer launches
    return replace(made, name="card80", stage1=stage1, pairs=pairs)
