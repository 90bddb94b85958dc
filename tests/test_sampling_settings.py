"""Sampling: one type from card to card, whose settings check themselves."""

from dataclasses import replace

import pytest

from geco.errors import ConfigError, WeightsError
from geco.sampling import Sampling, Steering


@pytest.mark.parametrize(
    "made",
    [
        Sampling(),
        Sampling(timestep=399, truncation=0.3, guidance_scale=4.0),
        Sampling("few-step", 4, timestep=799),
        Sampling("few-step", 2, timesteps=(999, 399)),
        Sampling("ddim", 75, 4.0, 0.5, 1.0),
        Sampling("euler-ancestral", 28, 4.0),
    ],
)
def test_what_a_card_holds_reads_back(made: Sampling) -> None:
    assert Sampling.from_dict(made.to_dict()) == made


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"kind": "one-step", "steps": 2}, "one step is not 2"),
        ({"kind": "one-step", "eta": 1.0}, "eta 1"),
        ({"kind": "ddim", "truncation": 0.5}, "truncation is for a one-step"),
        ({"kind": "ddim", "timestep": 3}, "timestep is for a one-step"),
        ({"kind": "few-step"}, "takes 2 to 4, not 1"),
        ({"kind": "few-step", "steps": 5}, "takes 2 to 4, not 5"),
        ({"kind": "few-step", "steps": 2, "timesteps": [399, 999]}, "not 2 that fall"),
        ({"kind": "few-step", "steps": 2, "timesteps": [999, 399], "timestep": 999}, "say the same"),
        ({"timesteps": [999, 399]}, "not 1 that fall"),
        ({"kind": "ddim", "timesteps": [9, 3]}, "timesteps is for a one-step"),
        ({"kind": "euler"}, "euler"),
        ({"steps": 0}, "steps"),
        ({"steps": True}, "steps"),
        ({"guidance_scale": float("nan")}, "guidance_scale"),
        ({"guidance": 1.5}, "guidance"),
    ],
)
def test_what_does_not_fit_is_refused_in_code_and_in_cards_alike(values: dict, said: str) -> None:
    with pytest.raises(WeightsError, match=said):
        Sampling.from_dict(values, "card", WeightsError)
    if "guidance" not in values:
        with pytest.raises(ConfigError, match=said):
            Sampling(**values)


def test_few_steps_are_even_unless_they_are_given() -> None:
    assert Sampling("few-step", 4).trained_at == (999, 749, 499, 249)  # DMD2's
    assert Sampling("few-step", 2, timestep=399).trained_at == (399, 199)
    assert Sampling("few-step", 2, timesteps=(999, 399)).trained_at == (999, 399)
    assert Sampling().trained_at == (999,) and Sampling(timestep=399).trained_at == (399,)


def test_a_generator_of_few_steps_takes_its_own_and_no_others() -> None:
    own = Sampling("few-step", 2)
    assert Steering(steps=2).of(own, "M") == own
    assert Steering(truncation=0.5, guidance=2.0).of(own, "M") == replace(
        own, truncation=0.5, guidance_scale=2.0
    )
    for asked in (
        Steering(steps=1),
        Steering(steps=4),
        Steering(sampler="ddim"),
        Steering(reference="noised"),
    ):
        with pytest.raises(ConfigError, match="a generator of 2 steps"):
            asked.of(own, "M")
