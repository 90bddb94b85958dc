"""Sampling: one type from card to card, whose settings check themselves."""

import pytest

from geco.errors import ConfigError, WeightsError
from geco.sampling import Sampling


@pytest.mark.parametrize(
    "made",
    [
        Sampling(),
        Sampling(timestep=399, truncation=0.3, guidance_scale=4.0),
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
