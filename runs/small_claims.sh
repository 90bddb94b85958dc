#!/usr/bin/env bash
# The paper's table and its four relations, measured on a run of runs/small_end_to_end.sh; started again it
# goes on where it stopped.
#   runs/small_claims.sh EVAL_OBJECTS_DIR TRAIN_OBJECTS_DIR RUN_DIR REPORT_DIR [SEEDS]
# REPORT_DIR/unseen: EVAL_OBJECTS_DIR; REPORT_DIR/held_out: the 60 training objects of runs/held_out.txt,
# which no stage has seen; REPORT_DIR/diversity: ten unseen objects, eight seeds. The table is
# REPORT_DIR/claims.md.
# PARTS="unseen held_out diversity" names what to measure, OPTIONS the rest of geco evaluate's options (such
# as --device cpu,bf16 where the CPU has it), TEACHER_SEEDS how many seeds the teacher's 75 steps are given
# where SEEDS (and eight for the diversity) would take too long.
set -euo pipefail
unseen=${1:?folder of objects never trained on}
train=${2?folder of the training objects, or nothing without held_out}
run=${3:?folder of the run}
report=${4:?folder for the reports}
seeds=${5:-3}
here=$(cd "$(dirname "$0")/.." && pwd)

mkdir -p "$report"
report=$(cd "$report" && pwd) # the tables are made from the repository's folder
steps=${TEACHER_STEPS:-75}
teacher="teacher-$steps=$run/reconstructor"
fixed="copy-input,ground-truth-views=$run/reconstructor,regressor=$run/regressor"
# Stage II's views are Stage I's
varied="undistilled=$run/reconstructor,stage1=$run/stage1,stage1@1=$run/stage1"
sampled="$varied,geco=$run/stage2,geco@1=$run/stage2"
read -r -a options <<< "--size 160 --variants bare --lpips-weights none --clip-weights none --no-meshes"
read -r -a more <<< "${OPTIONS:-}"
options+=("${more[@]}")
# measure OBJECTS PART METHODS SEEDS OPTION ...
measure() {
  geco evaluate --objects "$1" -o "$report/$2" --methods "$3" --seeds "$4" "${@:5}" "${options[@]}"
}
for part in ${PARTS:-unseen held_out diversity}; do
  case $part in
    unseen) objects=$unseen ;;
    held_out)
      objects=$report/held_out_objects
      mkdir -p "$objects"
      while read -r name; do cp -n "$train/$name.glb" "$objects/"; done < "$here/runs/held_out.txt"
      ;;
  esac
  case $part in
    unseen | held_out) count=$seeds methods="$fixed,$sampled" some=(--protocol both) ;;
    diversity) objects=$unseen count=8 methods=$varied some=(--limit 10 --protocol A) ;;
  esac
  measure "$objects" "$part" "$methods" "$count" "${some[@]}"
  measure "$objects" "$part" "$teacher" "${TEACHER_SEEDS:-$count}" "${some[@]}"
done
found=()
for part in unseen held_out diversity; do
  if [ -e "$report/$part/results.json" ]; then found+=("$report/$part"); fi
done
(cd "$here" && python -m benchmarks.claims "${found[@]}") | tee "$report/claims.md"
