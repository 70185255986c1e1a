#!/usr/bin/env bash
# With an nvcc that is too old or does not work, AUTO configures without CUDA and says why, and ON fails with the same
# words; the nvcc that is there the next time is found in the same build folder.
# Usage: old_nvcc.sh CMAKE SOURCE_FOLDER [NVCC], one that works
set -euo pipefail
cmake=$1 source=$2 nvcc=${3:-}
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

fake() {  # fake RELEASE COMMAND: an nvcc of that CUDA which compiles by COMMAND
  printf '#!/bin/sh\n[ "$*" = --version ] && echo "Cuda compilation tools, release %s" && exit\n%s\n' "$1" "$2"
}
compile="exit 1"
[ -z "$nvcc" ] || compile="exec '$nvcc' \"\$@\""
fake 11.5 "$compile" > "$place/old"
fake 12.4 "exit 1" > "$place/broken"
chmod +x "$place/old" "$place/broken"

configure() {  # configure NVCC ON|AUTO
  CUDACXX=$1 "$cmake" -S "$source" -B "$place/build" -DGESTALT_CUDA="$2" -DGESTALT_BUILD_TESTS=OFF \
    -DGESTALT_BUILD_BENCHMARKS=OFF 2>&1 | tr -s ' \n' '  ' | tee "$place/log"
}
says() { grep -qF -- "$1" "$place/log" || { echo "expected: $1"; exit 1; }; }
for old in old broken; do
  configure "$place/$old" AUTO
  says "gestalt: CUDA OFF,"
  says "gestalt: without nvcc 12.4"
  if configure "$place/$old" ON; then exit 1; fi
  says "gestalt: without nvcc 12.4"
  says "gestalt: $place/$old"
done
[ -n "$nvcc" ] || exit 0
configure "$place/old" AUTO
says "gestalt: $place/old is of CUDA 11.5; 12.4 or later is needed"
configure "$nvcc" AUTO
says "gestalt: CUDA ON,"
