"""The paper's recipe on many cards: eight or more, of 24 GB each, on one machine or several."""

from __future__ import annotations

from dataclasses import replace

from geco.recipes.paper import paper
from geco.recipes.recipe import Recipe

CARDS = 8  # of one machine, as they are sold


def cluster() -> Recipe:
    """the paper's on 8 cards, the three networks of Stage I in pieces over them; a step is 32 pictures"""
    base = paper()
    first, second = base.length("stage1"), base.length("stage2")
    return replace(
        base,
        name="cluster",
        precision="bf16",  # needs no loss scale; every card of a cluster has it
        stage1=replace(
            base.stage1,
            # Not stated in the paper. 4 pictures a card, as its 4 hours of 5,000 steps on one card speak for,
            # from each of 8 cards. Rates stay the paper's: Adam's step does not grow with the batch.
            batch=4,
            parallel="fsdp",
            checkpointing=True,
        ),
        # Pairs a step: 8, the main text's batch (the appendix: 4 a card), one of each card.
        stage2=replace(base.stage2, batch=1),
        lengths={
            # The paper's steps, of eight times its pictures: fewer are a --steps away.
            "stage1": replace(first, accumulate=CARDS, checkpoint_minutes=15),
            # 5 epochs of 46,000 pairs, 8 a step
            "stage2": replace(second, accumulate=CARDS, steps=28_750, checkpoint_minutes=15),
        },
    )
