#!/usr/bin/env bash
# Installs the library into a folder of its own, then builds and runs the programs of the README and of
# docs/library.md with it, as a user would. Usage: readme_example.sh CMAKE BUILD_FOLDER
set -euo pipefail
cmake=$1 build=$2
source=$(dirname "$0")/../..
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

"$cmake" --install "$build" --component library --prefix "$place/prefix" > "$place/install.log"
awk -v place="$place" '/^```cmake/ { file = place "/CMakeLists.txt"; next }
                       /^```cpp/ { file = place "/example.cpp"; next }
                       /^```/ { file = "" }
                       file { print > file }' "$source/README.md"
# The guide's programs begin with "// NAME.cpp".
awk -v place="$place" '/^```cpp/ { getline; name = $2; sub(/:$/, "", name); file = place "/" name; next }
                       /^```/ { file = "" }
                       file { print > file }' "$source/docs/library.md"
for name in train soft_threshold; do
  sed -n "s/example/$name/g; /^add_executable\|^target_link_libraries/p" "$place/CMakeLists.txt"
done > "$place/more.cmake"
cat "$place/more.cmake" >> "$place/CMakeLists.txt"
"$cmake" -S "$place" -B "$place/build" -DCMAKE_PREFIX_PATH="$place/prefix" -DCMAKE_BUILD_TYPE=Release
"$cmake" --build "$place/build"

said=$("$place/build/example")
echo "$said"
[[ $said =~ ^loss\ [0-9.e+]+,\ gradient\ \[1,3,32,32\]$ ]]

said=$("$place/build/soft_threshold")
echo "$said"
[ "$said" = "gradients agree" ]

# Two classes, each of one grey level: the training learns them, and goes on as if it had not stopped.
mkdir -p "$place/images/dark" "$place/images/light"
for i in $(seq 12); do
  { printf 'P6\n16 16\n255\n'; head -c 768 /dev/zero | tr '\0' ' '; } > "$place/images/dark/$i.ppm"
  { printf 'P6\n16 16\n255\n'; head -c 768 /dev/zero | tr '\0' '~'; } > "$place/images/light/$i.ppm"
done
whole=$("$place/build/train" "$place/images" "$place/whole.safetensors" 4)
echo "$whole"
first=$("$place/build/train" "$place/images" "$place/parts.safetensors" 2)
second=$("$place/build/train" "$place/images" "$place/parts.safetensors" 4)
[ "$whole" = "$first"$'\n'"$second" ]
cmp "$place/whole.safetensors" "$place/parts.safetensors"
[[ $whole =~ epoch\ 4:\ loss\ [0-9.e-]+,\ accuracy\ 1$ ]]
