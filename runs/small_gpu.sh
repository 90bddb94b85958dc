#!/usr/bin/env bash
# Turns any free piece of a GPU's time into a better small model. Nothing starts from nothing while there is
# something to go on from: the first teacher goes on from models/small/teacher, every later one from the last.
#   runs/small_gpu.sh views   OBJECTS_DIR[,...] RUN_DIR   training pictures, once: minutes of all cores
#   runs/small_gpu.sh teacher RUN_DIR MINUTES             the teacher goes on for so long at full rates
#   runs/small_gpu.sh model   RUN_DIR MINUTES             a model of the teacher as it stands, if it has had
#                                                         LEAST (15) minutes more since the last: cool-down,
#                                                         reconstructor, Stage I, Stage II, export
#   runs/small_gpu.sh all     OBJECTS_DIR[,...] RUN_DIR MINUTES   the three, 7 of 10 minutes for the teacher
# Every piece ends by itself, may be killed, and goes on when it is called again. After "teacher" the folder
# RUN_DIR/state holds all that the next one needs, on whatever machine, in files of at most 15 MiB: put it
# into an empty RUN_DIR there. Models are in RUN_DIR/model-1, model-2, ...
# DEVICE (cuda), RECIPE (small-gpu), SIZE (96), THREADS, PAIRS (480), INIT (models/small/teacher) and
# FLAGS (of the teacher, --compile) are taken from the environment. Without --compile the teacher took
# 14.8 GB of GPU memory (measured).
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
device=${DEVICE:-cuda} recipe=(--recipe "${RECIPE:-small-gpu}")
place=(--device "$device" --threads "${THREADS:-$(nproc)}" "${recipe[@]}")
init=${INIT-$here/models/small/teacher} flags=${FLAGS---compile}

part() { awk -v m="$1" -v p="$2" 'BEGIN { printf "%.4f", m * p }'; }
sum() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.4f", a + b }'; }
# minutes FOLDER: of training that a run has had
minutes() {
  local read='import json, sys; print(json.load(open(sys.argv[1]))["minutes"])'
  if [ -e "$1/training.json" ]; then python3 -c "$read" "$1/training.json"; else echo 0; fi
}

views() { # OBJECTS RUN
  IFS=, read -r -a folders <<< "$1"
  geco data render "${folders[@]}" -o "$2/views" --views grid-targets,grid-extra,grid-inputs \
    --size "${SIZE:-96}" --hold-out "${HOLD_OUT:-60}" --shard-objects 64
}

teacher() { # RUN MINUTES
  local run=$1 from=()
  if [ ! -e "$run/teacher/checkpoint.pt" ] && [ -e "$run/state/config.json" ]; then
    geco train unpack "$run/state" -o "$run/teacher"
    if [ -e "$run/state/last_model" ]; then cp "$run/state/last_model" "$run/"; fi
  fi
  if [ ! -e "$run/teacher/checkpoint.pt" ] && [ -n "$init" ]; then from=(--init "$init"); fi
  # One piece has an end of its own: called again after a kill, it goes on to that end and not beyond it.
  [ -e "$run/until" ] || sum "$(minutes "$run/teacher")" "$2" > "$run/until"
  # shellcheck disable=SC2086
  geco train teacher --data "$run/views" -o "$run/teacher" --resume --decay-part 0 "${from[@]}" \
    --budget-minutes "$(cat "$run/until")" "${place[@]}" $flags
  rm -rf "$run/state.new" && geco train pack "$run/teacher" -o "$run/state.new"
  if [ -e "$run/last_model" ]; then cp "$run/last_model" "$run/state.new/"; fi
  rm -rf "$run/state" && mv "$run/state.new" "$run/state" && rm "$run/until"
}

model() { # RUN MINUTES
  local run=$1 minutes=$2 had last=0 number=1 now
  if [ -e "$run/last_model" ]; then last=$(cat "$run/last_model"); fi
  while [ -e "$run/model-$number/finished" ]; do number=$((number + 1)); done
  now="$run/model-$number" had=$(minutes "$run/teacher")
  if [ ! -e "$now/teacher_minutes" ]; then
    if awk -v h="$had" -v l="$last" -v m="${LEAST:-15}" 'BEGIN { exit !(h - l < m) }'; then
      echo "the teacher has had $had minutes, the last model was made at $last: not yet ${LEAST:-15} more"
      return 0
    fi
    mkdir -p "$now/start"
    cp -r "$run/teacher/multiview" "$run/teacher/config.json" "$now/start/"
    local known=$init # whose reconstructor goes on
    if [ "$number" -gt 1 ]; then known="$run/model-$((number - 1))/stage2"; fi
    if [ -n "$known" ]; then cp -r "$known/reconstructor" "$now/start/"; fi
    echo "$had" > "$now/teacher_minutes"
  fi
  stage() { # COMMAND STAGE SHARE ...
    geco "$1" "$2" --data "$run/views" -o "$now/$2" --resume --budget-minutes "$(part "$minutes" "$3")" \
      "${place[@]}" "${@:4}"
  }
  stage train teacher .2 --decay-part 1 --init "$now/start"
  stage train reconstructor .25 --init "$now/teacher"
  stage distill stage1 .3 --init "$now/reconstructor"
  geco distill pairs "${recipe[@]}" --device "$device" --data "$run/views" --init "$now/reconstructor" \
    --true-views -o "$now/pairs" --count "${PAIRS:-480}"
  stage distill stage2 .15 --init "$now/stage1" --pairs "$now/pairs"
  geco export "$now/stage2" -o "$now/exported"
  geco run "$here/examples/bus.png" --model "$now/exported" -o "$now/bus.glb" --views --overwrite
  cp "$now/teacher_minutes" "$run/last_model"
  if [ -d "$run/state" ]; then cp "$run/last_model" "$run/state/"; fi
  touch "$now/finished"
}

case ${1:-} in
  views) mkdir -p "${3:?run folder}" && views "$2" "$3" ;;
  teacher) teacher "${2:?run folder}" "${3:?minutes}" ;;
  model) model "${2:?run folder}" "${3:?minutes}" ;;
  all)
    mkdir -p "${3:?run folder}" && views "$2" "$3"
    teacher "$3" "$(part "${4:?minutes}" .7)"
    model "$3" "$(part "$4" .3)"
    ;;
  *) sed -n '2,16s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
esac
