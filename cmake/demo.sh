#!/usr/bin/env bash
# Both experiments on the repository's own picture with the untrained network, in under two minutes on two
# cores; ends with the path of one contact sheet. Usage: cmake/demo.sh BIN_FOLDER [OUTPUT_FOLDER]
set -euo pipefail
bin=$1
out=${2:-out/demo}
picture=docs/images/demo.jpg
name=$(basename "$picture" .jpg)
size=128
declare -A steps=([synthesize_texture]=10 [visualize_topk]=6)
mkdir -p "$out"

run() {  # TOOL FOLDER flags...
  "$bin/$1" -i "$picture" -o "$out/$2" --image_size "$size" -n "${steps[$1]}" --quiet "${@:3}"
}
for experiment in synthesize_texture visualize_topk; do
  echo "$experiment: all activations, Top-K alone, all but Top-K"
  run "$experiment" "$experiment/all" --topk 1.
  run "$experiment" "$experiment/topk" --topk 0.05
  run "$experiment" "$experiment/non_topk" --topk 0.05 --reverse_topk
done

results() { for kind in all topk non_topk; do echo "$out/$1/$kind/seed_0_$name.jpg"; done; }
"$bin/contact_sheet" -o "$out/sheet.png" --title "What Top-K keeps: the 5 % strongest activations of an untrained VGG-19" \
  --columns "original,all,Top-K,non-Top-K" --rows "texture synthesis,visualization" \
  "$picture" $(results synthesize_texture) "$picture" $(results visualize_topk)
echo "contact sheet: $out/sheet.png"
