#!/usr/bin/env bash
# Measures this machine's GPU: the training steps of ResNet-18 and FastGAN beside PyTorch's, then bench_gpu, and its cases
# in PyTorch, where python3 has it. Leaves build/gpu/bench-gpu.json, .md and -steps.txt. Ends within 8 minutes: what has no
# time left is named. The exit code is 0 unless something failed.
#
#   make bench-gpu [DEVICE=cuda:0] [FILTER=topk] [ARCHITECTURES=90] [BUILD=build/gpu] [BIN=FOLDER] [CMAKE_FLAGS=...] [PYTHON=python3]
#
# FILTER takes the cases with this text in their names; the steps are "classifier" and "fewshot_gan". BIN=FOLDER takes the
# binaries there in place of a build: the targets bench_gpu, classifier and fewshot_gan. DEVICE=cpu runs small forms of all
# by the wall clock, to try this on a machine without a GPU.
set -euo pipefail
cd "$(dirname "$0")/.."

. tests/gpu/configure.sh
device=${DEVICE:-cuda:0}
python=${PYTHON:-python3}
time_limit=440
out=$build/bench-gpu
binaries=(bench_gpu classifier fewshot_gan)
mkdir -p "$build"
rm -f "$out".{md,json} "$out"-{cases,pytorch}.tsv "$out-steps.txt"
export OMP_WAIT_POLICY=passive
code=0

has() { timeout -k 5 "$(at_most 60)" "$python" -c "import $1" 2>/dev/null; }
fail() { echo "bench-gpu: $*"; exit 1; }

if [ -n "${BIN:-}" ]; then
  for binary in "${binaries[@]}"; do
    [ -x "$bin/$binary" ] || fail "BIN=$bin has no $binary: a build makes ${binaries[*]} only where --target names them"
  done
else
  echo "building for GPU architecture $architectures (log: $out-build.log)"
  if ! { timeout -k 5 90 "${configure[@]}" -DGESTALT_BUILD_TESTS=OFF -DGESTALT_BUILD_BENCHMARKS=ON &&
         timeout -k 5 240 cmake --build "$build" --target "${binaries[@]}" -j "${JOBS:-$(nproc)}"; } > "$out-build.log" 2>&1; then
    tail -25 "$out-build.log"
    fail "the build failed"
  fi
fi
bench=$bin/bench_gpu
filter=(--filter "${FILTER:-}")
timeout -k 5 60 "$bench" --list --device "$device" "${filter[@]}" > "$out-cases.tsv"
[ "$device" = cpu ] || timeout -k 5 60 "$bench" --device "$device" --filter none --seconds 0.001 > /dev/null || fail "no device $device"

# ---- training steps, in both programs in turns ----

# compare LIMIT NAME FLAGS...: bench/pytorch/NAME.py, which runs bin/NAME and PyTorch.
compare() {
  local limit=$1 name=$2 status=0
  shift 2
  [[ $name == *"${FILTER:-}"* ]] || return 0
  if [ "$(seconds_left)" -lt $((limit + 60)) ]; then
    echo "$name $*: left out: out of time" | tee -a "$out-steps.txt"
    return
  fi
  echo "$name $* (at most $limit s)"
  timeout -k 5 "$limit" "$python" "bench/pytorch/$name.py" --binary "$bin/$name" --device "$device" --rounds 1 "$@" 2>&1 |
    tee -a "$out-steps.txt" || status=$?
  if [ $status -eq 124 ] || [ $status -eq 137 ]; then
    echo "$name $*: not ended after $limit s" | tee -a "$out-steps.txt"
  elif [ $status -ne 0 ]; then
    echo "$name $*: FAILED" | tee -a "$out-steps.txt"
    code=1
  fi
}

has_pytorch=false
if has torch; then has_pytorch=true; else echo "$python has no PyTorch: no ratios"; fi
if $has_pytorch; then
  form=(--dtype bf16 --channels_last --graph)
  resnet18=("${form[@]}")
  if [ "$device" = cpu ]; then resnet18=(--batch 2); fi
  if has torchvision; then
    compare 60 classifier "${resnet18[@]}" train
  else
    echo "$python has no torchvision: without the steps of ResNet-18"
  fi
  if [ "$device" = cpu ]; then
    compare 60 fewshot_gan --size 64 --repeats 1
  else
    # As the tool runs it, beside the published step; then the same on both sides.
    compare 60 fewshot_gan --channels_last --graph --published_pytorch
    compare 45 fewshot_gan "${form[@]}"
  fi
fi

# ---- single cases ----

pytorch=()
if $has_pytorch && [ "$(seconds_left)" -lt 60 ]; then echo "no time left for PyTorch's part: no ratios"; has_pytorch=false; fi
if $has_pytorch; then
  limit=$(($(seconds_left) * 2 / 5))
  timeout -k 5 $((limit > 30 ? limit : 30)) "$python" bench/pytorch/gpu.py --device "$device" --cases "$out-cases.tsv" \
    --output "$out-pytorch.tsv" --seconds $((limit > 40 ? limit - 20 : 20)) ||
    echo "PyTorch's part failed or ran out of time: no ratios where its lines are missing"
  if [ -s "$out-pytorch.tsv" ]; then pytorch=(--pytorch "$out-pytorch.tsv"); fi
fi
limit=$(seconds_left)
limit=$((limit > 20 ? limit : 20))
timeout -k 5 $((limit + 30)) "$bench" --device "$device" "${filter[@]}" --output "$out" --seconds $limit "${pytorch[@]}" ||
  code=1
echo
if [ -s "$out-steps.txt" ]; then cat "$out-steps.txt"; echo; fi
[ -f "$out.md" ] && cat "$out.md"
exit $code
