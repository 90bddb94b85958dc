#!/usr/bin/env bash
# GECO at small scale from a folder of objects to an exported model, with one command; started again it goes on where it stopped.
#   runs/small_end_to_end.sh OBJECTS_DIR[,OBJECTS_DIR...] RUN_DIR [MINUTES]
# MINUTES (480 unless given) are shared out over the stages, most of it for the teacher. Rendering comes before and takes about a
# minute a thousand objects and core. DEVICE=cpu or cuda chooses where (default: what is there), THREADS how many cores. INIT=DIR
# starts from a former model instead of from nothing; RECIPE=NAME and SIZE=PIXELS take another recipe.
set -euo pipefail
objects=${1:?folder(s) of objects, separated by commas}
run=${2:?folder for views, runs and the model}
minutes=${3:-480}
here=$(cd "$(dirname "$0")/.." && pwd)
recipe=(--recipe "${RECIPE:-small}")
place=(${DEVICE:+--device "$DEVICE"} --threads "${THREADS:-1}" "${recipe[@]}")
part() { awk -v m="$minutes" -v p="$1" 'BEGIN { print m * p }'; }

IFS=, read -r -a folders <<< "$objects"
geco data render "${folders[@]}" -o "$run/views" --views grid-targets,grid-extra,grid-inputs --size "${SIZE:-64}" --hold-out 60 --shard-objects 64
# stage COMMAND STAGE PART ...: train for that part of the minutes; a finished stage ends at once
stage() { geco "$1" "$2" --data "$run/views" -o "$run/$2" --resume --budget-minutes "$(part "$3")" "${place[@]}" "${@:4}"; }
aside() { # what nothing before Stage II needs
  stage train regressor .08
  stage train autoencoder .04
}
if [ "${DEVICE:-}" = cuda ]; then # labelling points takes cores and these stages little of a GPU: all beside the teacher
  aside & others=$!
  stage train teacher .5 ${INIT:+--init "$INIT"}
  wait "$others"
else
  stage train teacher .46 ${INIT:+--init "$INIT"}
  aside
fi
stage train reconstructor .16 --init "$run/teacher"
stage distill stage1 "${STAGE1:-.16}" --init "$run/reconstructor"
# of the generator's own samples: the teacher's sample of the same z shows another far side (docs/measurements.md)
geco distill pairs "${recipe[@]}" ${DEVICE:+--device "$DEVICE"} --data "$run/views" --init "$run/reconstructor" --generator "$run/stage1" \
  -o "$run/pairs" --count "${PAIRS:-400}" --steps "${PAIR_STEPS:-25}"
stage distill stage2 .1 --init "$run/stage1" --pairs "$run/pairs" --perceptual "$run/autoencoder" --set perceptual=0.2  # these features weigh about ten pyramids
python -m geco.onnx_runtime.export "$run/stage2" -o "$run/exported"
geco run "$here/examples/bus.png" --model "$run/exported" -o "$run/bus.glb" --views
