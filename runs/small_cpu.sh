#!/usr/bin/env bash
# The embedded small model's multi-view generator, from a folder of GLB files, on a CPU.
#   runs/small_cpu.sh OBJECTS_DIR[,OBJECTS_DIR...] RUN_DIR [MINUTES]
# Renders the training views, then trains for MINUTES (80 unless given).
# Started again it continues where it stopped: finished objects are kept and the training resumes from its checkpoint.
set -euo pipefail
objects=${1:?folder(s) of GLB files, separated by commas}
run=${2:?folder for views and runs}
minutes=${3:-80}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}

IFS=, read -r -a folders <<< "$objects"
geco data render "${folders[@]}" -o "$run/views" --views grid-targets,grid-extra,grid-inputs --size 64 --hold-out 60
python -m geco.training.teacher --data "$run/views" -o "$run/multiview" --budget-minutes "$minutes"
python -m geco.training.sampling_table "$run/multiview" "$run/views/held_out" --steps 1 2 4 --guidance 1 2
