#!/usr/bin/env bash
# The small recipe on one GPU: 25 minutes unless MINUTES says otherwise.  runs/small_gpu.sh OBJECTS_DIR[,...] RUN_DIR [MINUTES]
set -euo pipefail
DEVICE=cuda THREADS=${THREADS:-$(nproc)} exec "$(dirname "$0")/small_end_to_end.sh" "${1:?objects}" "${2:?run folder}" "${3:-25}"
