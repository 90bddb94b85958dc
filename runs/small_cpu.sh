#!/usr/bin/env bash
# The small recipe on CPU cores: eight hours unless MINUTES says otherwise.
#   runs/small_cpu.sh OBJECTS_DIR[,...] RUN_DIR [MINUTES]
set -euo pipefail
export DEVICE=cpu THREADS=${THREADS:-$(nproc)}
exec "$(dirname "$0")/small_end_to_end.sh" "${1:?objects}" "${2:?run folder}" "${3:-480}"
