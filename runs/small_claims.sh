#!/usr/bin/env bash
# The paper's table and its four relations, measured on a run of runs/small_end_to_end.sh; started again it goes on where it stopped.
#   runs/small_claims.sh EVAL_OBJECTS_DIR TRAIN_OBJECTS_DIR RUN_DIR REPORT_DIR [SEEDS]
# REPORT_DIR/unseen: EVAL_OBJECTS_DIR; REPORT_DIR/held_out: the 60 training objects of runs/held_out.txt, which no stage has seen;
# REPORT_DIR/diversity: ten unseen objects, eight seeds. The table is REPORT_DIR/claims.md.
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
ours="stage1=$run/stage1,geco=$run/stage2,regressor=$run/regressor"
measure() { geco evaluate --objects "$1" -o "$report/$2" --methods "$3" "${@:4}" --lpips-weights none --clip-weights none --no-meshes; }
for part in unseen held_out; do
  objects=$unseen
  [ "$part" = held_out ] && objects=$report/held_out_objects
  measure "$objects" "$part" "copy-input,ground-truth-views=$run/reconstructor,$teacher,$ours" --seeds "$seeds"
done
measure "$unseen" diversity "$teacher,$ours" --seeds 8 --limit 10 --protocol A --variants bare
(cd "$here" && python -m benchmarks.claims "$report/unseen" "$report/held_out" "$report/diversity") | tee "$report/claims.md"
