#!/usr/bin/env bash
# Every comparison with PyTorch and Pillow. Usage: run.sh BIN_FOLDER. PYTHON names the interpreter.
set -uo pipefail
export GESTALT_BIN=$(realpath "$1")
cd "$(dirname "$0")"
python=${PYTHON:-python3}
failed=0
if "$python" -c 'import PIL; assert int(PIL.__version__.split(".")[0]) >= 12' 2>/dev/null; then
  echo "== images.py"
  "$python" images.py --binary "$GESTALT_BIN/dump_images" || failed=1
else
  echo "SKIPPED images.py: $python has no Pillow of version 12 or later, which resizes tall images as here"
fi
if ! "$python" -c 'import torch' 2>/dev/null; then
  echo "SKIPPED: $python has no PyTorch (Debian: python3-torch; PYTHON=... names another interpreter)"
  exit $failed
fi
for script in layers.py models.py lbfgs_texture.py adain.py shape_bias.py fastgan.py fastgan_step.py lpips.py \
              inception.py; do
  echo "== $script"
  "$python" "$script" || failed=1
done
exit $failed
