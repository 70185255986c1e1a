#!/usr/bin/env python3
"""Teaches AdaIN's decoder to invert the encoder, as a start for train_stylizer's --decoder.

    invert_encoder.py VGG OUT.pth STEPS FOLDER [FOLDER ...]

VGG: vgg_normalised.pth as trained_vgg.py writes it. FOLDER: pictures somewhere below it; each folder gives an equal
part of a batch. Loss: mean squared error of pixels, of crops of 64 pixels of pictures made 96x96; batches of 8, Adam,
learning rate 5e-4 after 50 steps of warming up. Only the decoder has gradients, so that a step takes a
fraction of train_stylizer's. Prints the loss; OUT.pth is replaced every 50 steps. Needs NumPy, Pillow and PyTorch.
"""

import os
import pathlib
import sys

import numpy as np
import torch
from PIL import Image
from torch import nn

SIZE, CROP, BATCH = 96, 64, 8


def conv_relu(inputs, outputs):
    return [nn.ReflectionPad2d(1), nn.Conv2d(inputs, outputs, 3), nn.ReLU()]


def up():
    return [nn.Upsample(scale_factor=2, mode="nearest")]


def make_encoder():
    pool = [nn.MaxPool2d(2, ceil_mode=True)]
    layers = [nn.Conv2d(3, 3, 1), *conv_relu(3, 64), *conv_relu(64, 64), *pool, *conv_relu(64, 128),
              *conv_relu(128, 128), *pool, *conv_relu(128, 256), *conv_relu(256, 256), *conv_relu(256, 256),
              *conv_relu(256, 256), *pool, *conv_relu(256, 512)]
    return nn.Sequential(*layers)


def make_decoder():
    layers = [*conv_relu(512, 256), *up(), *conv_relu(256, 256), *conv_relu(256, 256), *conv_relu(256, 256),
              *conv_relu(256, 128), *up(), *conv_relu(128, 128), *conv_relu(128, 64), *up(), *conv_relu(64, 64),
              *conv_relu(64, 3)[:2]]
    decoder = nn.Sequential(*layers)
    for layer in decoder:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
    with torch.no_grad():  # around middle grey
        decoder[-1].weight *= 0.1
        decoder[-1].bias.fill_(0.5)
    return decoder


def read_folder(folder):
    files = sorted(p for p in pathlib.Path(folder).rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if not files:
        sys.exit(f"invert_encoder.py: no pictures below '{folder}'")
    squares = [np.asarray(Image.open(p).convert("RGB").resize((SIZE, SIZE), Image.BILINEAR)) for p in files]
    return torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2)  # u8 [N, 3, SIZE, SIZE]


def draw(images, count):
    crops = []
    for index in torch.randint(len(images), (count,)).tolist():
        top, left = torch.randint(SIZE - CROP + 1, (2,)).tolist()
        crops.append(images[index, :, top : top + CROP, left : left + CROP])
    return torch.stack(crops).float() / 255


def main(vgg, out, steps, *folders):
    torch.manual_seed(0)
    encoder = make_encoder()
    encoder.load_state_dict(torch.load(vgg))
    encoder.requires_grad_(False)
    decoder = make_decoder()
    optimizer = torch.optim.Adam(decoder.parameters(), lr=5e-4)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1, (step + 1) / 50))
    sets = [read_folder(folder) for folder in folders]
    if BATCH % len(sets) != 0:
        sys.exit(f"{len(sets)} folders do not share a batch of {BATCH} evenly")
    total = 0.0
    for step in range(1, int(steps) + 1):
        pictures = torch.cat([draw(images, BATCH // len(sets)) for images in sets])
        with torch.no_grad():
            features = encoder(pictures)
        loss = nn.functional.mse_loss(decoder(features), pictures)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        total += loss.item()
        if step % 50 == 0 or step == int(steps):
            print(f"step {step}: mean squared error {total / ((step - 1) % 50 + 1):.5f}", flush=True)
            total = 0.0
            torch.save(decoder.state_dict(), f"{out}.part")
            os.replace(f"{out}.part", out)


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
