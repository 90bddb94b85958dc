"""One thread a test process: the suite runs a process a core, and threads that wait for each
other would only slow it.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

# A shell starts what runs in its background deaf to Ctrl-C, and every child inherits that; the tests send it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def box_shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shards of four boxes, one of them held out (:mod:`tests.boxes`); nobody may change them."""
    pytest.importorskip("numba")
    from tests.boxes import render_boxes

    return render_boxes(tmp_path_factory.mktemp("boxes"))
