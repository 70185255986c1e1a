# Sourced by tests/gpu/run.sh and bench/gpu.sh: sets `build`, the folder of logs and results; `bin`, that of the binaries,
# BIN or made in `build`; and `configure`, the command that configures the build for this machine's GPU, from the variables
# GTEST_SOURCE, BENCHMARK_SOURCE, ARCHITECTURES, BUILD and CMAKE_FLAGS. seconds_left and at_most go by `time_limit`.
# shellcheck shell=bash

# The newest architecture that nvcc knows up to $1; $1 where nvcc does not say.
known_architecture() {
  local nvcc known
  nvcc=${CUDACXX:-$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)}
  known=$("$nvcc" --list-gpu-arch 2>/dev/null | sed -n 's/^compute_\([0-9]*\)$/\1/p' | sort -n |
          awk -v most="$1" '$1 <= most { last = $1 } END { print last }')
  echo "${known:-$1}"
}

# "90;100": of all GPUs here; empty without nvidia-smi.
gpu_architectures() {
  local nvidia_smi found
  nvidia_smi=$(command -v nvidia-smi || ls /usr/local/nvidia/bin/nvidia-smi 2>/dev/null) || return 0
  found=$("$nvidia_smi" --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | tr -d . | sort -un | paste -sd ';')
  [[ $found =~ ^[0-9]+(\;[0-9]+)*$ ]] || return 0
  for architecture in ${found//;/ }; do known_architecture "$architecture"; done | sort -un | paste -sd ';'
}

build=${BUILD:-build/gpu}
bin=${BIN:-$build/bin}
architectures=${ARCHITECTURES:-$(gpu_architectures)}
architectures=${architectures:-90}
gtest=${GTEST_SOURCE:-}
[ -n "$gtest" ] || { [ -d .gpu/googletest ] && gtest=$PWD/.gpu/googletest; }

configure=(cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DGESTALT_CUDA=ON
           "-DGESTALT_CUDA_ARCHITECTURES=$architectures" -DGESTALT_TEST_RESOURCES=OFF)
[ -n "$gtest" ] && configure+=("-DGESTALT_GTEST_SOURCE=$gtest")
[ -n "${BENCHMARK_SOURCE:-}" ] && configure+=("-DGESTALT_BENCHMARK_SOURCE=$BENCHMARK_SOURCE")
# Words, with quotes of their own, as a recipe of make takes them.
eval "configure+=(${CMAKE_FLAGS:-})" || { echo "CMAKE_FLAGS is no list of words: $CMAKE_FLAGS" >&2; exit 2; }

# What is left of the whole run's `time_limit`; and of a part's limit $1, but 5 seconds at least: timeout 0 is for ever.
seconds_left() { echo $((time_limit > SECONDS ? time_limit - SECONDS : 0)); }
at_most() { local left; left=$(seconds_left); echo $((left < 5 ? 5 : left < $1 ? left : $1)); }
