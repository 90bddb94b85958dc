#!/usr/bin/env bash
# GECO from beginning to end in a few minutes on a CPU, at 16 pixels: objects, views, every stage, exported
# model, mesh, evaluation.
#   runs/tiny_end_to_end.sh RUN_DIR
# It proves that the chain holds; the model it makes is worth nothing.
set -euo pipefail
run=${1:?folder for everything that is made}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
here=$(cd "$(dirname "$0")/.." && pwd)

geco data procedural -o "$run/objects" --count 12 --seed 0
geco data render "$run/objects" -o "$run/views" --views grid-targets,grid-extra,grid-inputs \
  --size 16 --hold-out 3
stage() { geco "$1" "$2" --recipe tiny --data "$run/views" -o "$run/$2" --threads 1 "${@:3}"; }
stage train teacher
stage train reconstructor --init "$run/teacher"
stage train regressor
stage train pixelnerf
stage train autoencoder
stage distill stage1 --init "$run/reconstructor"
geco distill pairs --recipe tiny --data "$run/views" --init "$run/reconstructor" \
  --generator "$run/stage1" -o "$run/pairs"
stage distill stage2 --init "$run/stage1" --pairs "$run/pairs" --perceptual "$run/autoencoder"
geco export "$run/stage2" -o "$run/exported"
geco run "$here/examples/bus.png" --model "$run/exported" --no-projection -o "$run/bus.glb"
methods="geco,stage1=$run/stage1,regressor=$run/regressor,pixelnerf=$run/pixelnerf"
methods+=",teacher-3=$run/reconstructor,optimize-sds@steps-2=$run/reconstructor"
geco evaluate --objects "$run/objects" --limit 2 --methods "$methods" --model "$run/stage2" --size 64 \
  --protocol A --lpips-weights none --clip-weights none -o "$run/report"
