#!/usr/bin/env bash
# Measures this machine's GPU: bench_gpu, and beside it the same cases in PyTorch where python3 has it. Leaves
# build/gpu/bench-gpu.json and .md. Ends within 8 minutes.
#
#   make bench-gpu [DEVICE=cuda:0] [FILTER=topk] [ARCHITECTURES=90] [BUILD=build/gpu] [CMAKE_FLAGS=...] [PYTHON=python3]
#
# FILTER takes the cases with this text in their names. DEVICE=cpu runs small forms of the cases by the wall clock, to try this on a machine without a GPU.
set -euo pipefail
cd "$(dirname "$0")/.."

. tests/gpu/configure.sh
device=${DEVICE:-cuda:0}
python=${PYTHON:-python3}
out=$build/bench-gpu
mkdir -p "$build"
rm -f "$out".{md,json} "$out"-{cases,pytorch}.tsv
export OMP_WAIT_POLICY=passive

echo "building for GPU architecture $architectures (log: $out-build.log)"
if ! { timeout 60 "${configure[@]}" -DGESTALT_BUILD_TESTS=OFF -DGESTALT_BUILD_BENCHMARKS=ON &&
       timeout 240 cmake --build "$build" --target bench_gpu -j "${JOBS:-$(nproc)}"; } > "$out-build.log" 2>&1; then
  tail -25 "$out-build.log"
  echo "bench-gpu: the build failed"
  exit 1
fi
bench=$build/bin/bench_gpu
filter=(--filter "${FILTER:-}")
"$bench" --list --device "$device" "${filter[@]}" > "$out-cases.tsv"

pytorch=()
pytorch_limit=$((360 - SECONDS > 90 ? (360 - SECONDS) / 2 : 45))
if "$python" -c 'import torch' 2>/dev/null; then
  if timeout $pytorch_limit "$python" bench/pytorch/gpu.py --device "$device" \
       --cases "$out-cases.tsv" --output "$out-pytorch.tsv" --seconds $((pytorch_limit - 20)); then
    pytorch=(--pytorch "$out-pytorch.tsv")
  else
    echo "PyTorch's part failed or ran out of time: no ratios where its lines are missing"
    [ -s "$out-pytorch.tsv" ] && pytorch=(--pytorch "$out-pytorch.tsv")
  fi
else
  echo "$python has no PyTorch: no ratios"
fi
code=0
"$bench" --device "$device" "${filter[@]}" --output "$out" --seconds $((460 - SECONDS > 30 ? 460 - SECONDS : 30)) "${pytorch[@]}" || code=$?
echo
[ -f "$out.md" ] && cat "$out.md"
exit $code
