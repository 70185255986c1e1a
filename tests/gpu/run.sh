#!/usr/bin/env bash
# Builds on a machine with a GPU, runs every test with GESTALT_REQUIRE_CUDA=1, then compute-sanitizer over the tests
# of the CUDA kernels. Needs CUDA 12.4 or later, cuDNN 9, g++ and CMake; no root, no network, no package manager.
# Ends within TIME_LIMIT seconds; prints a table last; exit code 0 only if every part passed.
#
#   make test-gpu [GTEST_SOURCE=FOLDER] [ARCHITECTURES=90] [GPU=off] [BUILD=build/gpu] [BIN=FOLDER] [CMAKE_FLAGS=...]
#
# BIN=FOLDER takes the binaries there in place of a build, with the fixtures of this checkout; those that need a library
# which is not here are skipped, but for those that no run should do without.
# GPU=off tries all of this on a machine without a GPU: tests that need one are skipped, and so are the sanitizers.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit

. tests/gpu/configure.sh
jobs=${JOBS:-$(nproc)}
time_limit=${TIME_LIMIT:-455}
log=$build/test-gpu.log
logs=$build/test-gpu-logs
export OMP_WAIT_POLICY=passive OMP_NUM_THREADS=${OMP_NUM_THREADS:-4}
mkdir -p "$logs"
rm -f "$logs"/*
: > "$log"

failed=0
rows=()
row() {  # PART RESULT SECONDS COUNTS
  rows+=("$(printf '%-22s %-24s %7s  %s' "$1" "$2" "$3" "$4")")
  [[ $2 == ok* || $2 == skipped* ]] || failed=1
}
timed_out() { [ "$1" -eq 124 ] || [ "$1" -eq 137 ]; }  # exit codes of timeout
say() { echo "$*" | tee -a "$log"; }

finish() {
  cat "$logs"/*.log >> "$log" 2>/dev/null
  {
    echo
    printf '%-22s %-24s %7s  %s\n' part result seconds counts
    printf '%s\n' "${rows[@]}"
    echo "all: $([ $failed -eq 0 ] && echo passed || echo FAILED), $SECONDS s; the whole log: $log"
  } | tee -a "$log"
  exit $failed
}

# step PART LIMIT COMMAND...: a part of its own; the run ends where it fails.
step() {
  local part=$1 limit start=$SECONDS code
  limit=$(at_most "$2")
  shift 2
  say "$part (at most $limit s)"
  timeout -k 5 "$limit" "$@" > "$logs/$part.log" 2>&1
  code=$?
  if [ $code -eq 0 ]; then
    row "$part" ok $((SECONDS - start)) ""
    return
  fi
  tail -25 "$logs/$part.log"
  row "$part" "$(timed_out $code && echo "TIMED OUT" || echo FAILED)" $((SECONDS - start)) "exit code $code"
  finish
}

# ---- configure and build ----

if [ -n "${BIN:-}" ]; then
  if ! [ -x "$bin/doctor" ] || ! [ -x "$bin/test_ops" ]; then
    say "BIN=$bin has no doctor or no test_ops"
    row build "FAILED: not in BIN" "" ""
    finish
  fi
  row build "skipped: BIN" "" "$bin"
else
  say "GPU architecture: $architectures"
  step configure 90 "${configure[@]}" -DGESTALT_BUILD_TESTS=ON
  grep '^-- gestalt:' "$logs/configure.log"
  step build 300 cmake --build "$build" -j "$jobs"
fi

# ---- the device ----

require=1
[ "${GPU:-on}" = off ] && require=0
timeout -k 5 "$(at_most 60)" "$bin/doctor" > "$logs/doctor.log" 2>&1
doctor=$?
sed -n '/^Device\|^Missing/,$p' "$logs/doctor.log"
if grep -q '^Device cuda' "$logs/doctor.log"; then
  row doctor "$([ $doctor -eq 0 ] && echo ok || echo FAILED)" "" "$(grep -c '^Device cuda' "$logs/doctor.log") GPU"
elif [ $require -eq 0 ]; then
  row doctor "skipped: no GPU (GPU=off)" "" ""
elif [ $doctor -gt 1 ]; then
  tail -5 "$logs/doctor.log"
  row doctor "FAILED: exit code $doctor" "" ""
  finish
else
  say "no CUDA device: nothing of CUDA can be tested here (GPU=off runs what needs none)"
  row doctor "FAILED: no CUDA device" "" ""
  finish
fi

# ---- the tests: every binary at once, long ones in shards ----

export GESTALT_REQUIRE_CUDA=$require
export GESTALT_SOURCE_DIR=$PWD  # BIN may have been built elsewhere
declare -A shards=([simt]=8 [ops]=1 [steps]=6 [tools]=6)  # ops checks in one process that every kernel was reached
declare -A pids
tests_limit=$(at_most 240)
say "tests (at most $tests_limit s)"
for binary in "$bin"/test_*; do
  name=${binary##*/test_}
  count=${shards[$name]:-1}
  for ((shard = 0; shard < count; ++shard)); do
    (
      start=$SECONDS
      GTEST_TOTAL_SHARDS=$count GTEST_SHARD_INDEX=$shard timeout -k 5 "$tests_limit" "$binary" \
        > "$logs/test_$name.$shard.log" 2>&1
      code=$?
      echo "exit code $code, $((SECONDS - start)) s" >> "$logs/test_$name.$shard.log"
      exit $code
    ) &
    pids[$name]+=" $!"
  done
done

# total PATTERN FILES...: the sum of the numbers after a gtest result line's mark.
total() { local mark=$1; shift; sed -n "s/^\[  $mark *\] \([0-9]*\) tests\?.*/\1/p" "$@" | awk '{ s += $1 } END { print s + 0 }'; }
# The library that keeps a binary of BIN from starting; nothing where it started. One that was built here has to start.
lacking() {  # EXIT_CODE FILES...
  local code=$1
  shift
  [ -n "${BIN:-}" ] && [ "$code" -eq 127 ] || return 0
  sed -n 's/.*error while loading shared libraries: \([^:]*\):.*/\1/p' "$@" | head -1
}
result_of() {  # EXIT_CODE FAILED_COUNT COUNT
  if [ "$1" -eq 0 ] && [ "$3" -eq 0 ]; then echo "NO TESTS RAN"
  elif [ "$1" -eq 0 ]; then echo ok
  elif timed_out "$1"; then echo "TIMED OUT"
  elif [ "$2" -gt 0 ]; then echo FAILED
  else echo "CRASHED ($1)"; fi
}
for binary in "$bin"/test_*; do
  name=${binary##*/test_}
  code=0
  for pid in ${pids[$name]}; do wait "$pid" || code=$?; done
  files=("$logs/test_$name".*.log)
  good=$(total PASSED "${files[@]}") bad=$(total FAILED "${files[@]}") left_out=$(total SKIPPED "${files[@]}")
  longest=$(sed -n 's/^exit code .*, \([0-9]*\) s$/\1/p' "${files[@]}" | sort -n | tail -1)
  library=$(lacking $code "${files[@]}")
  if [ -n "$library" ]; then
    needed=skipped
    [[ $name =~ ^(kernels|ops|graph|steps)$ ]] && needed=FAILED
    row "test_$name" "$needed: lacks $library" "" ""
    continue
  fi
  row "test_$name" "$(result_of $code "$bad" $((good + bad + left_out)))" "$longest" \
    "$good passed, $bad failed, $left_out skipped"
  [ $code -eq 0 ] || grep -h '^\[  FAILED  \] [A-Za-z]' "${files[@]}" | sort -u | head -15
done

# ---- compute-sanitizer, all four tools at once, over the tests of the kernels ----

sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null)
tools=(memcheck racecheck initcheck synccheck)
if [ $require -eq 0 ] || [ -z "$sanitizer" ]; then
  why=$([ $require -eq 0 ] && echo "GPU=off" || echo "not installed")
  for tool in "${tools[@]}"; do row "$tool" "skipped: $why" "" ""; done
  finish
fi
only_ours=()
help=$(timeout -k 5 20 "$sanitizer" --help 2>&1)  # not all versions know all flags
[[ $help == *'--kernel-name '* ]] && only_ours=(--kernel-name kns=gestalt)
# initcheck takes what the libraries' kernels write for uninitialized where it does not watch them, and on sm_90 where it
# does (by bulk copies): cases that call them are left out there, and so is a look at copies, ours or the tests'.
initcheck=("${only_ours[@]}")
[[ $help == *'--check-api-memory-access '* ]] && initcheck+=(--check-api-memory-access no)
of_libraries=$(printf ':OpCase.%s/*' conv2d conv_transpose2d linear matmul 'gram*' 'spectral*')
# Shuffled, so that what time allows is a sample of all.
cases=(--gtest_shuffle --gtest_random_seed=1)
no_reports='COMPUTE-SANITIZER\|SUMMARY: 0 \|Target application returned'
# What it says besides where `timeout` ends it or its child.
when_ended="process didn.t terminate successfully\|No attachable process\|may have hit an error"
sanitizer_limit=$(at_most 150)
say "compute-sanitizer (at most $sanitizer_limit s)"
sanitizer_start=$SECONDS
declare -A sanitizer_pids
for tool in "${tools[@]}"; do
  flags=("${only_ours[@]}") filter='*/cuda/*'
  [ "$tool" = initcheck ] && flags=("${initcheck[@]}") filter+="-${of_libraries:1}"
  timeout -k 5 "$sanitizer_limit" "$sanitizer" --tool "$tool" --error-exitcode 99 --report-api-errors no \
    "${flags[@]}" "$bin/test_ops" "--gtest_filter=$filter" "${cases[@]}" > "$logs/$tool.log" 2>&1 &
  sanitizer_pids[$tool]=$!
done
for tool in "${tools[@]}"; do
  wait "${sanitizer_pids[$tool]}"
  code=$?
  file=$logs/$tool.log
  all=$(sed -n 's/^\[==========\] Running \([0-9]*\) tests.*/\1/p' "$file")
  done_=$(grep -c '^\[       OK \]' "$file")
  ignored=$no_reports
  timed_out "$code" && ignored+="\|$when_ended"
  reports=$(grep '^=========' "$file" | grep -vc "$ignored")
  if grep -q 'Device not supported' "$file"; then result="skipped: not usable here"
  elif [ "$code" -eq 0 ]; then result=ok
  elif timed_out "$code" && [ "$reports" -eq 0 ] && [ "$done_" -gt 0 ]; then result="ok as far as time went"
  elif timed_out "$code" && [ "$reports" -eq 0 ]; then result="skipped: no time left"
  else result=FAILED; grep '^=========' "$file" | head -12; fi
  row "$tool" "$result" $((SECONDS - sanitizer_start)) "$done_ of ${all:-?} cases"
done
finish
