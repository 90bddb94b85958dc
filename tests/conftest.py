"""One thread a test process: the suite runs a process a core, and threads that wait for each
other would only slow it.
"""

from __future__ import annotations

import os
import signal

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

# A shell starts what runs in its background deaf to Ctrl-C, and every child inherits that; the tests send it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
