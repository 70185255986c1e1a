#!/usr/bin/env bash
# Every comparison with PyTorch and Pillow. Usage: run.sh BIN_FOLDER. PYTHON names the interpreter.
set -uo pipefail
export GESTALT_BIN=$(realpath "$1")
cd "$(dirname "$0")"
python=${PYTHON:-python3}
if ! "$python" -c 'import torch' 2>/dev/null; then
  echo "SKIPPED: $python has no PyTorch (Debian: python3-torch; PYTHON=... names another interpreter)"
  exit 0
fi
failed=0
for script in layers.py models.py lbfgs_texture.py adain.py shape_bias.py fastgan.py lpips.py; do
  echo "== $script"
  "$python" "$script" || failed=1
done
exit $failed
