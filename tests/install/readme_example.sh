#!/usr/bin/env bash
# Installs the library into a folder of its own, then builds and runs the README's example with it, as a user
# would. Usage: readme_example.sh CMAKE BUILD_FOLDER
set -euo pipefail
cmake=$1 build=$2
readme=$(dirname "$0")/../../README.md
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

"$cmake" --install "$build" --component library --prefix "$place/prefix" > "$place/install.log"
awk -v place="$place" '/^```cmake/ { file = place "/CMakeLists.txt"; next }
                       /^```cpp/ { file = place "/example.cpp"; next }
                       /^```/ { file = "" }
                       file { print > file }' "$readme"
"$cmake" -S "$place" -B "$place/build" -DCMAKE_PREFIX_PATH="$place/prefix" -DCMAKE_BUILD_TYPE=Release
"$cmake" --build "$place/build"
said=$("$place/build/example")
echo "$said"
[[ $said =~ ^loss\ [0-9.e+]+,\ gradient\ \[1,3,32,32\]$ ]]
