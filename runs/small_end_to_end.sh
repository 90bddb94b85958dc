#!/usr/bin/env bash
# GECO at small scale from a folder of objects to an exported model, with one command; started again it goes
# on where it stopped.
#   runs/small_end_to_end.sh OBJECTS_DIR[,OBJECTS_DIR...] RUN_DIR [MINUTES]
# MINUTES (480 unless given) are shared out over the stages, most of it for the teacher. Rendering comes
# before and takes about a minute a thousand objects and core. DEVICE=cpu or cuda chooses where (default: what
# is there), THREADS how many cores. INIT=DIR starts from a former model instead of from nothing; RECIPE=NAME
# and SIZE=PIXELS take another recipe. TRUTH says what Stage II learns from: views (the data's own six, the
# default), generator (its samples, refined by the teacher) or teacher (its samples: the paper's).
set -euo pipefail
objects=${1:?folder(s) of objects, separated by commas}
run=${2:?folder for views, runs and the model}
minutes=${3:-480}
here=$(cd "$(dirname "$0")/.." && pwd)
recipe=(--recipe "${RECIPE:-small}")
place=(${DEVICE:+--device "$DEVICE"} --threads "${THREADS:-1}" "${recipe[@]}")
case ${TRUTH:-views} in # Stage II's; what each gave: docs/log.md
  views) truth=(--true-views) ;;
  generator) truth=(--generator "$run/stage1" --steps "${PAIR_STEPS:-75}") ;;
  teacher) truth=(--steps "${PAIR_STEPS:-75}") ;;
  *) echo "TRUTH is views, generator or teacher, not $TRUTH" >&2 && exit 2 ;;
esac
part() { awk -v m="$minutes" -v p="$1" 'BEGIN { print m * p }'; }

IFS=, read -r -a folders <<< "$objects"
geco data render "${folders[@]}" -o "$run/views" --views grid-targets,grid-extra,grid-inputs \
  --size "${SIZE:-64}" --hold-out 60 --shard-objects 64
# stage COMMAND STAGE PART ...: train for that part of the minutes; a finished stage ends at once
stage() {
  geco "$1" "$2" --data "$run/views" -o "$run/$2" --resume --budget-minutes "$(part "$3")" \
    "${place[@]}" "${@:4}"
}
if [ "${DEVICE:-}" = cuda ]; then
  # labelling the regressor's points takes cores and little of a GPU: beside the teacher
  stage train regressor .08 & other=$!
  stage train teacher .5 ${INIT:+--init "$INIT"}
  wait "$other"
else
  stage train teacher .46 ${INIT:+--init "$INIT"}
  stage train regressor .08
fi
stage train reconstructor .16 --init "$run/teacher"
stage distill stage1 "${STAGE1:-.16}" --init "$run/reconstructor"
geco distill pairs "${recipe[@]}" ${DEVICE:+--device "$DEVICE"} --data "$run/views" \
  --init "$run/reconstructor" "${truth[@]}" -o "$run/pairs" --count "${PAIRS:-480}"
stage distill stage2 .14 --init "$run/stage1" --pairs "$run/pairs"
geco export "$run/stage2" -o "$run/exported"
geco run "$here/examples/bus.png" --model "$run/exported" -o "$run/bus.glb" --views
