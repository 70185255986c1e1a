#!/usr/bin/env python3
"""Training images a second: torchvision's transforms on Pillow images, beside bench/loader_speed.

    python3 bench/pytorch/loader.py FOLDER... [--images 1000] [--bench build/release/bin/loader_speed]

A FOLDER has class folders. Decode, RandomResizedCrop(224), RandomHorizontalFlip, ToTensor, Normalize,
batches of 32, one thread each, in turns; figures are images a second of processor time, so that other
programs on the machine matter less. `fast`: JPEGs decoded at a reduced size; `packed`: the same
pixels from a packed file (--pack names the tool that makes it).
"""
import argparse
import itertools
import pathlib
import statistics
import subprocess
import tempfile
import time

import PIL
import torch
import torchvision
from torchvision import transforms


def pytorch_rate(folder, images):
    normalize = transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    dataset = torchvision.datasets.ImageFolder(folder, transforms.Compose([
        transforms.RandomResizedCrop(224), transforms.RandomHorizontalFlip(),
        transforms.ToTensor(), normalize]))
    loader = torch.utils.data.DataLoader(dataset, batch_size=32, shuffle=True)
    endless = itertools.chain.from_iterable(itertools.repeat(loader))
    next(endless)
    done, start = 0, time.process_time()
    while done < images:
        done += len(next(endless)[0])
    return done / (time.process_time() - start)


def our_rate(bench, folder, images, *more):
    command = [bench, folder, "--images", str(images), *more]
    words = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    return float(words[words.index("images") + 1]) / float(words[words.index("cpu_seconds") + 1])


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--bench", default="build/release/bin/loader_speed")
    parser.add_argument("--pack", default="build/release/bin/pack_images")
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f"PyTorch {torch.__version__}, torchvision {torchvision.__version__}, Pillow "
          f"{PIL.__version__}; images a second of one core, median of {args.turns}")
    print(f"{'':30} {'PyTorch':>9} {'exact':>15} {'fast':>15} {'packed':>15}")
    for folder in args.folders:
        rates = {"PyTorch": [], "exact": [], "fast": [], "packed": []}
        with tempfile.TemporaryDirectory() as temporary:
            packed = str(pathlib.Path(temporary) / "images.packed")
            subprocess.run([args.pack, folder, packed, "--resize", "none", "--quiet"], check=True,
                           capture_output=True)
            for _ in range(args.turns):
                rates["PyTorch"].append(pytorch_rate(folder, args.images))
                rates["exact"].append(our_rate(args.bench, folder, args.images))
                rates["fast"].append(our_rate(args.bench, folder, args.images, "--fast"))
                rates["packed"].append(our_rate(args.bench, packed, args.images))
        median = {name: statistics.median(values) for name, values in rates.items()}
        cells = [f"{median[name]:7.0f} ({median[name] / median['PyTorch']:4.1f}x)"
                 for name in ("exact", "fast", "packed")]
        print(f"{folder[-30:]:30} {median['PyTorch']:9.0f} {cells[0]:>15} {cells[1]:>15} {cells[2]:>15}")


if __name__ == "__main__":
    main()
