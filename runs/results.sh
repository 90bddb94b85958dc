#!/usr/bin/env bash
# Every table of docs/results.md again, by the commands that users have; started again it goes on where it
# stopped.
#   runs/results.sh EVAL_OBJECTS_DIR OUT [SEEDS]
# SEEDS (5) are the packaged model's; CLAIM_SEEDS (3) those of every model in the paper's table. PARTS names
# what to measure:
#   quality  the packaged model, bare and finished, with its bounds      OUT/quality, OUT/quality.md
#   claims   every kept model in the paper's table; the four relations   OUT/claims, OUT/claims/claims.md
#   kinds    the same beside both deterministic kinds of model and SDS and VSD of each object, on the first
#            OBJECTS (10) of EVAL_OBJECTS_DIR; OPTIMIZE_STEPS (30) updates an object, of which
#            OPTIMIZE_SEEDS (1) are made; PIXELNERF (models/small/pixelnerf) is its folder
#                                                                        OUT/kinds, OUT/kinds.md
#   speed    the whole run, warm and cold; unwrapping; FlexiCubes        OUT/run.txt, uv.txt, flexicubes.txt
#   parity   the full-size networks against the public code's numbers    OUT/parity.txt
#   size     a fresh environment with the base package (needs a net)     OUT/size.txt
# Minutes on one busy core: quality 26, claims 45 and 15 more for the diversity (with TEACHER_SEEDS=1), kinds
# 17 of CPU by extrapolation (CLAIM_SEEDS=2 TEACHER_SEEDS=1), parity and size half a one each.
# All models with views run on ONNX Runtime at the packaged model's grid: those that the repository keeps in
# torch are exported first. The regressor has no views to export and runs on torch, from the same card.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
objects=$(cd "${1:?folder of objects never trained on}" && pwd)
mkdir -p "${2:?folder for the reports}"
out=$(cd "$2" && pwd)
seeds=${3:-5}
cd "$here"

# once NAME COMMAND ...: the command's output in OUT/NAME, whole or not at all
once() {
  if [ ! -e "$out/$1" ]; then
    "${@:2}" > "$out/$1.part" && mv "$out/$1.part" "$out/$1"
  fi
}

quality() {
  geco evaluate --objects "$objects" -o "$out/quality" --methods geco,copy-input,ground-truth-views \
    --seeds "$seeds" --size 160 --lpips-weights none --clip-weights none --no-meshes
  python -m benchmarks.claims "$out/quality" > "$out/quality.md"
}

# Into OUT/models. Stage I is the packaged generator with the reconstructor that Stage II began from, which is
# the teacher's.
models() {
  local models=$out/models
  if [ ! -e "$models/stage1" ]; then
    rm -rf "$models/assembled"
    mkdir -p "$models/assembled"
    cp -r src/geco/assets/small/multiview src/geco/assets/small/config.json \
      models/small/teacher/reconstructor "$models/assembled"
    geco export "$models/assembled" -o "$models/half"
    mv "$models/half" "$models/stage1"
  fi
  if [ ! -e "$models/reconstructor" ]; then
    geco export models/small/teacher -o "$models/half"
    mv "$models/half" "$models/reconstructor"
  fi
  ln -sfn "$here/models/small/regressor" "$models/regressor"
  ln -sfn "$here/src/geco/assets/small" "$models/stage2"
}

claims() {
  local models=$out/models
  models
  PARTS="unseen diversity" runs/small_claims.sh "$objects" "" "$models" "$out/claims" "${CLAIM_SEEDS:-3}"
}

# compare METHODS SEEDS: columns of OUT/kinds
compare() {
  geco evaluate --objects "$objects" --limit "${OBJECTS:-10}" -o "$out/kinds" --methods "$1" --seeds "$2" \
    --size 160 --variants bare --lpips-weights none --clip-weights none --no-meshes
}

kinds() {
  local models=$out/models updates=@steps-${OPTIMIZE_STEPS:-30} teacher=models/small/teacher
  models
  local fixed="copy-input,regressor=$models/regressor,pixelnerf=${PIXELNERF:-models/small/pixelnerf}"
  compare "$fixed,undistilled=$models/reconstructor,stage1=$models/stage1,geco=$models/stage2" \
    "${CLAIM_SEEDS:-3}"
  compare "teacher-75=$models/reconstructor" "${TEACHER_SEEDS:-2}"
  compare "optimize-sds$updates=$teacher,optimize-vsd$updates=$teacher" "${OPTIMIZE_SEEDS:-1}"
  python -m benchmarks.claims "$out/kinds" > "$out/kinds.md"
}

speed() {
  once run.txt python -m benchmarks.run
  once uv.txt python -m benchmarks.uv
  once flexicubes.txt python -m benchmarks.flexicubes
}

parity() { once parity.txt python -m tests.reference tests/golden; }

size() {
  rm -rf "$out/venv"
  python3 -m venv "$out/venv"
  "$out/venv/bin/pip" install -q -c constraints.txt .
  once size.txt du -sm --exclude 'pip*' --exclude 'setuptools*' --exclude pkg_resources \
    "$out"/venv/lib/python3*/site-packages
  rm -rf "$out/venv"
}

for part in ${PARTS:-quality claims kinds speed parity size}; do
  case $part in
    quality | claims | kinds | speed | parity | size) ;;
    *) echo "PARTS are quality, claims, kinds, speed, parity and size, not $part" >&2 && exit 2 ;;
  esac
  start=$SECONDS
  "$part"
  echo "$part $((SECONDS - start)) s" | tee -a "$out/seconds.txt"
done
