#!/bin/bash
# Does Top-K in training help on sketches and stylized images? Trains four settings with three seeds each on
# photographs, evaluates the last weights on the held-out ones and on other sets (docs/results.md).
#
#   docs/experiments/topk_training.sh BIN PHOTOS OUT [NAME=FOLDER ...]
#
# BIN: folder of train_classifier. PHOTOS/CLASS/*: a fifth of each class is held out. NAME=FOLDER: other sets.
# Environment: EPOCHS (10), SIZE (56, pixels), MODEL ("resnet18-cifar --stem_stride 2"), LR (0.05), SEEDS ("0 1 2"),
# JOBS (2: runs at once, of one thread each). MODEL may hold more flags: "alexnet --pretrained FILE".
# Writes OUT/accuracy.csv, OUT/table.md and OUT/curves.png beside the runs. The same command goes on where it
# was interrupted; runs that are finished are only evaluated.
set -euo pipefail
[ $# -ge 3 ] || { sed -n '2,12s/^# \?//p' "$0"; exit 2; }
export BIN=$1 PHOTOS=$2 OUT=$3 EPOCHS=${EPOCHS:-10} SIZE=${SIZE:-56} MODEL=${MODEL:-resnet18-cifar --stem_stride 2} LR=${LR:-0.05}
shift 3
export SETS="$*"
SETTINGS=("plain none keep" "topk_2_20 2_20 keep" "mean_2_20 2_20 mean_replace" "topk_1_20 1_20 keep")
SEEDS=${SEEDS:-0 1 2}
mkdir -p "$OUT"

one() {
  local setting=$1 topk=$2 mode=$3 seed=$4 name=$1_$4 run=$OUT/$1_$4 flags=() eval_folders=() set
  flags=(--data_folder_path "$PHOTOS" --val_fraction 0.2 --image_size "$SIZE" --model $MODEL --topk "$topk"
         --topk_mode "$mode" --seed "$seed" --threads 1 --workers 1 --output "$OUT" --name "$name" --quiet)
  if [ ! -f "$run/finished" ]; then
    local resume=()
    [ -f "$run/checkpoint.safetensors" ] && resume=(--resume)
    "$BIN/train_classifier" "${flags[@]}" --lr "$LR" --total_epochs "$EPOCHS" "${resume[@]}"
    touch "$run/finished"
  fi
  for set in $SETS; do eval_folders+=(--eval_folder "$set"); done
  "$BIN/train_classifier" "${flags[@]}" "${eval_folders[@]}" --evaluate "$run/last.safetensors" > "$run/evaluation.txt"
}
export -f one

for seed in $SEEDS; do
  for setting in "${SETTINGS[@]}"; do echo "$setting $seed"; done
done | xargs -P "${JOBS:-2}" -L 1 bash -c 'set -euo pipefail; one "$@"' _

# setting,seed,set,accuracy
for setting in "${SETTINGS[@]}"; do
  for seed in $SEEDS; do
    awk -F, -v run="${setting%% *},$seed" 'NR > 1 { print run "," $1 "," $4 }' \
      "$OUT/${setting%% *}_$seed/evaluation_last.csv"
  done
done > "$OUT/accuracy.csv"

awk -F, '
  !($1 in setting_seen) { setting_seen[$1]; settings[++n] = $1 }
  !($3 in set_seen) { set_seen[$3]; sets[++m] = $3 }
  { k = $1 "," $3; x = 100 * $4; sum[k] += x; count[k]++
    if (!(k in low) || x < low[k]) low[k] = x
    if (!(k in high) || x > high[k]) high[k] = x }
  END {
    head = "| |"; rule = "| --- |"
    for (j = 1; j <= m; ++j) { head = head " " sets[j] " |"; rule = rule " --- |" }
    print head; print rule
    for (i = 1; i <= n; ++i) {
      row = "| " settings[i] " |"
      for (j = 1; j <= m; ++j) {
        k = settings[i] "," sets[j]
        row = row sprintf(" %.1f (%.1f to %.1f) |", sum[k] / count[k], low[k], high[k])
      }
      print row
    }
  }' "$OUT/accuracy.csv" | tee "$OUT/table.md"

# epoch, then mean, lowest and highest of the seeds: of the training loss and of the held-out accuracy
for setting in "${SETTINGS[@]}"; do
  name=${setting%% *}
  for seed in $SEEDS; do tail -n +2 "$OUT/${name}_$seed/metrics.csv"; done | awk -F, '
    { for (i = 1; i <= 2; ++i) {
        x = i == 1 ? $3 : $6; k = $1 "," i; sum[k] += x; count[k]++
        if (!(k in low) || x < low[k]) low[k] = x
        if (!(k in high) || x > high[k]) high[k] = x }
      if ($1 > last) last = $1 }
    END { for (e = 1; e <= last; ++e) { a = e ",1"; b = e ",2"
      print e, sum[a] / count[a], low[a], high[a], sum[b] / count[b], low[b], high[b] } }' > "$OUT/curves_$name.dat"
done
{
  echo 'set terminal pngcairo size 1100,440 font "sans,11"; set output "curves.png"; set multiplot layout 1,2'
  echo 'set xlabel "epoch"; set xtics 1; set grid linecolor rgb "#dddddd"; set key noenhanced; set style fill transparent solid 0.15 noborder'
  for panel in "cross-entropy in training:2" "accuracy on held-out photographs:5"; do
    column=${panel##*:}
    echo "set ylabel '${panel%:*}'; set key $([ "$column" = 2 ] && echo top right || echo bottom right)"
    plots=() i=0
    colours=("#000000" "#0072b2" "#d55e00" "#009e73")
    for setting in "${SETTINGS[@]}"; do
      name=${setting%% *} colour=${colours[i++]}
      plots+=("'curves_$name.dat' using 1:$((column + 1)):$((column + 2)) with filledcurves linecolor rgb '$colour' notitle")
      plots+=("'curves_$name.dat' using 1:$column with lines linewidth 2 linecolor rgb '$colour' title '$name'")
    done
    (IFS=,; echo "plot ${plots[*]}")
  done
} > "$OUT/curves.gp"
(cd "$OUT" && gnuplot curves.gp)
