#!/usr/bin/env bash
# Every installed header compiles by itself, with nothing but the installed headers and those of other libraries.
# Usage: headers.sh CMAKE BUILD_FOLDER CXX_COMPILER [FOLDER_OF_HEADERS_OF_OTHERS]...
set -euo pipefail
cmake=$1 build=$2 compiler=$3
others=()
for folder in "${@:4}"; do others+=(-idirafter "$folder"); done
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

"$cmake" --install "$build" --component library --prefix "$place" > "$place/install.log"
cd "$place/include/gestalt"
headers=$(find . -name '*.h' | wc -l)
echo "$headers headers"
[ "$headers" -gt 50 ]
find . -name '*.h' -print0 |
  xargs -0 -I{} -P "$(nproc)" "$compiler" -std=c++20 -Wall -Werror -fsyntax-only -I . "${others[@]}" -include {} -x c++ /dev/null
