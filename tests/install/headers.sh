#!/usr/bin/env bash
# Every installed header compiles by itself, with nothing but the installed headers.
# Usage: headers.sh CMAKE BUILD_FOLDER CXX_COMPILER
set -euo pipefail
cmake=$1 build=$2 compiler=$3
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

"$cmake" --install "$build" --component library --prefix "$place" > "$place/install.log"
cd "$place/include/gestalt"
headers=$(find . -name '*.h' | wc -l)
echo "$headers headers"
[ "$headers" -gt 50 ]
find . -name '*.h' -print0 |
  xargs -0 -I{} -P "$(nproc)" "$compiler" -std=c++20 -Wall -Werror -fsyntax-only -I . -include {} -x c++ /dev/null
