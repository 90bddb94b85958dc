#!/usr/bin/env bash
# The paper's table and its four relations at full size, from objects on: what runs/paper.sh has not made yet
# it makes first. Started again it goes on where it stopped.
#   CARD=card24 runs/paper_claims.sh EVAL_OBJECTS_DIR OBJECTS RUN_DIR REPORT_DIR [SEEDS]
# REPORT_DIR/unseen: EVAL_OBJECTS_DIR, every method; REPORT_DIR/diversity: ten of them, eight seeds. The table
# is REPORT_DIR/claims.md. TEACHER_STEPS (75) are the teacher's, with its own reference and with a clean one,
# as Stage I's scores read it; REGRESSOR (triposr) is the deterministic one, trained on other data than GECO.
# OPTIONS are more of geco evaluate's, TEACHER_SEEDS the seeds of the teacher's columns, LIMIT how many
# objects; all variables of runs/paper.sh count here too.
set -euo pipefail
unseen=${1:?folder of objects never trained on}
objects=${2:?folder(s) of objects to train on}
run=${3:?folder of the run}
report=${4:?folder for the reports}
seeds=${5:-3}
here=$(cd "$(dirname "$0")/.." && pwd)
teacher=${TEACHER:-instantmesh}
regressor=${REGRESSOR:-triposr}
"$here/runs/paper.sh" "$objects" "$run"

mkdir -p "$report"
report=$(cd "$report" && pwd) # the tables are made from the repository's folder
if [ ! -d "$regressor" ]; then geco get "$regressor"; fi
steps=${TEACHER_STEPS:-75}
fixed="copy-input,ground-truth-views=$teacher,regressor=$regressor"
sampled="undistilled=$teacher,stage1=$run/stage1,geco=$run/stage2"
slow="teacher-$steps=$teacher,teacher-$steps@clean=$teacher"
read -r -a options <<< "--variants bare --no-meshes ${LIMIT:+--limit $LIMIT} ${DEVICE:+--device $DEVICE}"
read -r -a more <<< "${OPTIONS:-}"
options+=("${more[@]}")
# measure PART METHODS SEEDS OPTION ...
measure() {
  geco evaluate --objects "$unseen" -o "$report/$1" --methods "$2" --seeds "$3" "${options[@]}" "${@:4}"
}
measure unseen "$fixed,$sampled" "$seeds" --protocol both
measure unseen "$slow" "${TEACHER_SEEDS:-$seeds}" --protocol both
measure diversity "$sampled" "${DIVERSITY_SEEDS:-8}" --limit "${LIMIT:-10}" --protocol A
(cd "$here" && python -m benchmarks.claims "$report/unseen" "$report/diversity") | tee "$report/claims.md"
