#!/usr/bin/env bash
# Installs the Debian/Ubuntu packages that the build needs and that are missing. Does nothing, and needs
# no root, where all are there.
set -euo pipefail

packages=(
  g++ cmake ninja-build make ccache pkg-config clang-format git
  libdnnl-dev libopenblas-dev liblapacke-dev
  libopencv-dev libjpeg-dev libpng-dev libtiff-dev
  libcli11-dev nlohmann-json3-dev libspdlog-dev libfmt-dev libzip-dev libssl-dev
  libgtest-dev libbenchmark-dev gnuplot-nox
)

missing=()
for package in "${packages[@]}"; do
  if ! dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed'; then
    missing+=("$package")
  fi
done
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null; then
  echo "missing packages, and no apt-get to install them: ${missing[*]}" >&2
  exit 1
fi
echo "installing: ${missing[*]}"
root=()
[ "$(id -u)" -eq 0 ] || root=(sudo)
"${root[@]}" apt-get update -qq
"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
