#!/usr/bin/env bash
# The paper's table and its four relations, measured on a run of runs/small_end_to_end.sh; started again it goes on where it stopped.
#   runs/small_claims.sh EVAL_OBJECTS_DIR TRAIN_OBJECTS_DIR RUN_DIR REPORT_DIR [SEEDS]
# REPORT_DIR/unseen: EVAL_OBJECTS_DIR; REPORT_DIR/held_out: the 60 training objects of runs/held_out.txt, which no stage has seen;
# REPORT_DIR/diversity: ten unseen objects, eight seeds. The table is REPORT_DIR/claims.md. PARTS="unseen held_out diversity" names what to
# measure, OPTIONS the rest of geco evaluate's options (such as --device cpu,bf16 where the CPU has it).
set -euo pipefail
unseen=${1:?folder of objects never trained on}
train=${2:?folder of the training objects}
run=${3:?folder of the run}
report=${4:?folder for the reports}
seeds=${5:-3}
here=$(cd "$(dirname "$0")/.." && pwd)

mkdir -p "$report/held_out_objects"
while read -r name; do cp -n "$train/$name.glb" "$report/held_out_objects/"; done < "$here/runs/held_out.txt"
steps=${TEACHER_STEPS:-75}
teacher="undistilled=$run/reconstructor,teacher-$steps=$run/reconstructor"
ours="stage1=$run/stage1,geco=$run/stage2,stage1@1=$run/stage1,geco@1=$run/stage2,regressor=$run/regressor"
read -r -a options <<< "--size 160 --variants bare --lpips-weights none --clip-weights none ${OPTIONS:-}"
measure() { geco evaluate --objects "$1" -o "$report/$2" --methods "$3" "${@:4}" "${options[@]}" --no-meshes; }
for part in ${PARTS:-unseen held_out diversity}; do
  case $part in
    unseen) measure "$unseen" unseen "copy-input,ground-truth-views=$run/reconstructor,$teacher,$ours" --seeds "$seeds" ;;
    held_out) measure "$report/held_out_objects" held_out "copy-input,ground-truth-views=$run/reconstructor,$teacher,$ours" --seeds "$seeds" ;;
    diversity) measure "$unseen" diversity "$teacher,$ours" --seeds 8 --limit 10 --protocol A ;;
  esac
done
(cd "$here" && python -m benchmarks.claims "$report/unseen" "$report/held_out" "$report/diversity") | tee "$report/claims.md"
