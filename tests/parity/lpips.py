"""LPIPS with random networks and the published linear weights (lpips/v0.1 of the test data) in PyTorch and here:
distances and the gradient to the first images, norm of the difference over the norm of PyTorch's. f64 decides about the
gradient: in f32 a rounding error in front of a ReLU lets some through that the other stops.
"""

import os
import sys
import tempfile

import numpy
import torch
import torchvision

from gestalt_io import read_safetensors, run_tool, write_safetensors
from test_data import TEST_DATA

LINEAR = TEST_DATA / "lpips/v0.1"
SHIFT, SCALE = [-.030, -.088, -.188], [.458, .448, .450]
NETWORKS = {"vgg16": ("vgg.pth", [3, 8, 15, 22, 29]), "alexnet": ("alex.pth", [1, 4, 7, 9, 11])}


def activations(features, taps, x):
    shift, scale = (torch.tensor(values, dtype=x.dtype)[:, None, None] for values in (SHIFT, SCALE))
    x = (x - shift) / scale
    for i, layer in enumerate(features[:taps[-1] + 1]):
        x = layer(x)
        if i in taps:
            yield x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10)


def distance(features, taps, linear, a, b):
    pairs = zip(activations(features, taps, a), activations(features, taps, b), linear)
    return sum(((x - y).square() * weight).sum(1).mean((1, 2)) for x, y, weight in pairs)


def main():
    if not LINEAR.exists():
        print(f"SKIPPED: no linear weights at {LINEAR}")
        return 0
    failed = False
    for name, (file, taps) in NETWORKS.items():
        torch.manual_seed(0)
        network = getattr(torchvision.models, name)(weights=None).eval().requires_grad_(False)
        for layer in network.features:  # lively activations in every tap
            if hasattr(layer, "weight"):
                torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        linear = list(torch.load(LINEAR / file, map_location="cpu").values())
        images = [torch.rand(2, 3, 96, 64) * 2 - 1 for _ in range(2)]
        with tempfile.TemporaryDirectory() as folder:
            weights, inputs, out = (os.path.join(folder, part) for part in ("net.pth", "in.safetensors", "out.safetensors"))
            torch.save(network.state_dict(), weights)
            write_safetensors(inputs, {"a": images[0].numpy(), "b": images[1].numpy()})
            for mode, dtype, allowed in ("f32", torch.float32, (1e-5, 1e-2)), ("f64", torch.float64, (1e-10, 1e-8)):
                a, b = (image.to(dtype).clone() for image in images)
                a.requires_grad_(True)
                expected = distance(network.features.to(dtype), taps, [part.to(dtype) for part in linear], a, b)
                expected.sum().backward()
                run_tool("dump_lpips", name, weights, LINEAR / file, inputs, out, mode)
                got = read_safetensors(out)
                for (what, value), bound in zip((("distance", expected.detach()), ("gradient", a.grad)), allowed):
                    error = numpy.linalg.norm(got[what] - value.numpy()) / numpy.linalg.norm(value.numpy())
                    failed |= not error <= bound
                    print(f"{name:8} {mode} {what} relative error {error:.2e} (allowed {bound:g}) "
                          f"{'ok' if error <= bound else 'FAILED'}")
    return int(failed)


if __name__ == "__main__":
    print("PyTorch", torch.__version__)
    sys.exit(main())
