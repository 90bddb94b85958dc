#!/usr/bin/env bash
# The small-gpu recipe on one GPU of 24 GB or more (measured: 14.8 GB for the teacher and 6.1 GB for the
# regressor beside it): 25 minutes unless MINUTES says otherwise.
#   runs/small_gpu.sh OBJECTS_DIR[,...] RUN_DIR [MINUTES]
set -euo pipefail
export DEVICE=cuda THREADS=${THREADS:-$(nproc)}
export RECIPE=${RECIPE:-small-gpu} SIZE=${SIZE:-96} STAGE1=${STAGE1:-.28}
exec "$(dirname "$0")/small_end_to_end.sh" "${1:?objects}" "${2:?run folder}" "${3:-25}"
