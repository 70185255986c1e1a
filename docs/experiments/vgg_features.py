#!/usr/bin/env python3
"""Features of a trained VGG-16 for measure_fid: relu5_3, its mean over the pixels, 512 numbers an image.

    vgg_features.py vgg16_features.pth FOLDER OUT.npy [--resize 64]

vgg16_features.pth: as trained_vgg.py writes it. Images (RGB) keep their size, or are resized to a square as training
does it. Needs NumPy, Pillow, PyTorch and torchvision.
"""

import argparse
import pathlib

import numpy as np
import torch
import torchvision
from PIL import Image

MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
STD = torch.tensor([0.229, 0.224, 0.225])[:, None, None]


def pixels(path, resize):
    image = Image.open(path).convert("RGB")
    if resize:
        image = image.resize((resize, resize), Image.BILINEAR)
    return (torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255 - MEAN) / STD


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("out")
    parser.add_argument("--resize", type=int, default=0)
    arguments = parser.parse_args()

    network = torchvision.models.vgg16().features
    state = torch.load(arguments.weights)
    network.load_state_dict({name.removeprefix("features."): value for name, value in state.items()})
    network = network[:30].eval()
    files = sorted(path for path in arguments.folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    features = []
    with torch.no_grad():
        for first in range(0, len(files), 25):
            batch = torch.stack([pixels(path, arguments.resize) for path in files[first:first + 25]])
            features.append(network(batch).mean((2, 3)).numpy())
    np.save(arguments.out, np.concatenate(features))
    print(f"{arguments.out}: {len(files)} images of {arguments.folder}")


if __name__ == "__main__":
    main()
