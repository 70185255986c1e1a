"""Compares decoding, and resizing to 256x256 by Lanczos, with Pillow, byte for byte, on all images
below a folder.

    python tests/parity/images.py [FOLDER] [--binary build/release/bin/dump_images]

Needs Pillow (13 for tall images that shrink: see data/resample.h). Exits 1 where a byte differs.
"""

import argparse
import pathlib
import subprocess
import sys

from test_data import ROOT, TEST_DATA

EXTENSIONS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".ppm", ".pgm", ".tif", ".tiff"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=pathlib.Path, default=TEST_DATA)
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / "build/release/bin/dump_images")
    options = parser.parse_args()
    try:
        import PIL
        from PIL import Image
    except ImportError:
        print("SKIPPED: Pillow is not installed")
        return 0
    paths = sorted(p.resolve() for p in options.folder.rglob("*") if p.suffix.lower() in EXTENSIONS)
    if not paths:
        print(f"SKIPPED: no images below {options.folder}")
        return 0

    process = subprocess.Popen([options.binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    different = []
    for path in paths:
        process.stdin.write(f"{path}\n".encode())
        process.stdin.flush()
        header = process.stdout.readline().decode().strip()
        try:
            image = Image.open(path).convert("RGB")
        except OSError as error:
            if not header.startswith("ERROR"):
                raise SystemExit(f"{path}: read here, but not by Pillow: {error}")
            continue
        if header != f"{image.height} {image.width}":
            different.append(f"{path}: {header} instead of {image.height} {image.width}")
            if header.startswith("ERROR"):
                continue
            break
        if process.stdout.read(image.height * image.width * 3) != image.tobytes():
            different.append(f"{path}: decoded differently")
        resized = image.resize((256, 256), Image.Resampling.LANCZOS)
        if process.stdout.read(256 * 256 * 3) != resized.tobytes():
            different.append(f"{path}: resized differently")
    process.stdin.close()
    for line in different[:20]:
        print(line)
    print(f"{len(paths)} images against Pillow {PIL.__version__}: {len(different)} differences")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
