from __future__ import annotations

import pytest
import torch

from geco.device import choose
from geco.errors import ConfigError


def test_the_cpu_computes_in_float32() -> None:
    placement = choose("cpu")
    assert placement.device == torch.device("cpu") and placement.dtype == torch.float32
    assert "cpu in float32" in str(placement) and "as asked" in str(placement)


def test_something_is_always_found_and_its_reason_said() -> None:
    placement = choose()
    assert torch.zeros(1, device=placement.device, dtype=placement.dtype).item() == 0.0
    assert placement.why


def test_formats_by_name_and_purpose() -> None:
    assert choose("cpu", "bf16").dtype == torch.bfloat16
    assert choose(purpose="training").dtype == torch.float32
    joined = choose("cpu,bf16")
    assert (
        joined.device == torch.device("cpu")
        and joined.dtype == torch.bfloat16
        and "format as asked" in str(joined)
    )
    assert choose("cpu,").dtype == torch.float32


@pytest.mark.parametrize(
    ("device", "dtype"),
    [("toaster", None), ("cuda:97", None), ("meta", None), ("cpu", "float8"), ("cpu,float8", None)],
)
def test_what_is_not_there_is_refused(device: str, dtype: str | None) -> None:
    with pytest.raises(ConfigError):
        choose(device, dtype)
