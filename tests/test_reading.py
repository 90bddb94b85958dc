"""Files read within a limit."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from geco.errors import OutputError
from geco.reading import read_regular


def test_a_large_limit_costs_a_small_file_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    tracemalloc.start()
    try:
        assert read_regular(tmp_path / "a", 1 << 30, OutputError) == b"12345"
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert read_regular(tmp_path / "a", 5, OutputError) == b"12345"
    with pytest.raises(OutputError, match="too large"):
        read_regular(tmp_path / "a", 4, OutputError)


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="a file that does not say its size")
def test_a_file_that_says_nothing_of_its_size_is_read_whole() -> None:
    assert b"VmPeak" in read_regular("/proc/self/status", 1 << 20, OutputError)
    with pytest.raises(OutputError, match="too large"):
        read_regular("/proc/self/status", 100, OutputError)
