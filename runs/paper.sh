#!/usr/bin/env bash
# GECO at full size on one card, from objects to a model that can be published; started again it goes on where
# it stopped. Two commands make the real thing:
#   geco data objaverse -o OBJECTS
#   CARD=card24 runs/paper.sh OBJECTS RUN_DIR
# OBJECTS may be several folders, separated by commas. CARD is the recipe: card12, card24, paper (48 GB, the
# default), card80, or a file of yours. TEACHER is what is distilled: instantmesh, fetched once, or a folder.
# HOLD_OUT (64) objects are kept aside for the numbers of Stage I. DEVICE says where, WORKERS how many
# processes render and encode, PAIRS how many pairs (the recipe's), PAIR_WORKERS how many processes make them
# (one a card), DISK how many GB they may take. LATENTS=no encodes pictures at every step instead of once.
# ENCODING, STAGE1, PAIRING and STAGE2 add options to the commands of that name:
#   STAGE1="--set student_repeats=5 --set reference=noised --steps 10000"
set -euo pipefail
objects=${1:?folder(s) of objects, separated by commas}
run=${2:?folder for shards, runs and the model}
here=$(cd "$(dirname "$0")/.." && pwd)
recipe=(--recipe "${CARD:-paper}")
place=(${DEVICE:+--device "$DEVICE"})
teacher=${TEACHER:-instantmesh}
read -r -a encoding <<< "${ENCODING:-}"
read -r -a stage1 <<< "${STAGE1:-}"
read -r -a pairing <<< "${PAIRING:-}"
read -r -a stage2 <<< "${STAGE2:-}"
mkdir -p "$run"

if [ ! -d "$teacher" ]; then geco get "$teacher"; fi
IFS=, read -r -a folders <<< "$objects"
geco data render "${folders[@]}" -o "$run/shards" --views condition --size "${SIZE:-512}" --channels rgba \
  --hold-out "${HOLD_OUT:-64}" ${WORKERS:+--workers "$WORKERS"}
cached=()
if [ "${LATENTS:-yes}" != no ]; then
  geco data encode "$run/shards" --model "$teacher" -o "$run/latents" "${place[@]}" \
    ${WORKERS:+--workers "$WORKERS"} "${encoding[@]}"
  cached=(--latents "$run/latents")
fi
data=(--data "$run/shards" "${cached[@]}")
geco distill stage1 "${recipe[@]}" "${place[@]}" "${data[@]}" --init "$teacher" -o "$run/stage1" --resume \
  "${stage1[@]}"
workers=(--workers "${PAIR_WORKERS:-1}" ${DISK:+--disk-budget "$DISK"})
geco distill pairs "${recipe[@]}" "${place[@]}" "${data[@]}" --init "$teacher" -o "$run/pairs" \
  "${workers[@]}" ${PAIRS:+--count "$PAIRS"} "${pairing[@]}"
# Stage II reads the generator's views instead of running it at every step
geco distill pairs "${place[@]}" -o "$run/pairs" "${workers[@]}" --add-generator-views "$run/stage1"
geco distill stage2 "${recipe[@]}" "${place[@]}" --pairs "$run/pairs" --init "$run/stage1" -o "$run/stage2" \
  --resume "${stage2[@]}"
geco publish "$run/stage2" -o "$run/published"
geco run "$here/examples/bus.png" --model "$run/published" "${place[@]}" -o "$run/bus.glb" --views
