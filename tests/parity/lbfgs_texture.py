"""Texture synthesis of a 64x64 photograph from the same start: the losses of the first 50 evaluations.

Allowed: 1e-3 relative, exact mode. Usage: lbfgs_texture.py [PHOTOGRAPH]
"""

import os
import sys
import tempfile

import numpy
import torch
from PIL import Image

from gestalt_io import read_safetensors, run_tool
from texture_network import TAPS, forward_taps, gram, make_vgg19, sparse, texture_loss

SIZE = 64
EVALUATIONS = 50
MEAN = torch.tensor([0.40760392, 0.45795686, 0.48501961]).reshape(1, 3, 1, 1)


def load(path):
    image = Image.open(path).convert("RGB").resize((SIZE, SIZE), Image.LANCZOS)
    rgb = torch.from_numpy(numpy.array(image)).permute(2, 0, 1)[None].float() / 255
    return (rgb.flip(1) - MEAN) * 255


def normalized(network, target):
    """Each filter scaled so that its mean activation is 1, as the published weights are."""
    x = target
    for layer in network:
        if isinstance(layer, torch.nn.Conv2d):
            scale = torch.relu(layer(x)).mean((0, 2, 3)).clamp(min=1e-2)
            layer.weight /= scale.reshape(-1, 1, 1, 1)
            layer.bias /= scale
        x = layer(x)
    return network


def torch_losses(network, target, initial, fraction, reverse):
    with torch.no_grad():
        targets = {name: gram(sparse(tap, fraction, reverse)) for name, tap in forward_taps(network, target).items()}
    low, size = target.min(), target.max() - target.min()
    p = ((initial - low) / size).clamp(1e-6, 1 - 1e-6)
    u = (p.log() - (1 - p).log()).requires_grad_(True)
    optimizer = torch.optim.LBFGS([u], lr=1, max_iter=20, tolerance_grad=0, tolerance_change=0,
                                  history_size=100, line_search_fn="strong_wolfe")
    losses = []

    def closure():
        optimizer.zero_grad()
        loss = texture_loss(network, torch.sigmoid(u) * size + low, targets, fraction, reverse)
        loss.backward()
        losses.append(loss.item())
        return loss

    while len(losses) < EVALUATIONS:
        optimizer.step(closure)
    return numpy.array(losses[:EVALUATIONS])


def main(path):
    failed = False
    target = load(path)
    with torch.no_grad():
        network = normalized(make_vgg19(), target)
    with tempfile.TemporaryDirectory() as folder:
        weights, out = os.path.join(folder, "vgg.pth"), os.path.join(folder, "run.safetensors")
        torch.save(network.state_dict(), weights)
        for fraction, reverse in ((1.0, False), (0.05, False), (0.05, True)):
            run_tool("synthesize_texture", "-i", path, "-o", os.path.join(folder, "out"), "-m", weights, "-n", 4,
                     "--image_size", SIZE, "--topk", fraction, *(["--reverse_topk"] if reverse else []),
                     "--exact", "--quiet", "--save_tensors", out)
            run = read_safetensors(out)
            expected = torch_losses(network, target, torch.from_numpy(run["initial"]), fraction, reverse)
            errors = numpy.abs(run["losses"][:EVALUATIONS] - expected) / expected
            ok = errors.max() <= 1e-3
            failed |= not ok
            print(f"topk {fraction:4} {'reversed' if reverse else '        '} loss {expected[0]:.4g} -> {expected[-1]:.4g}, "
                  f"largest relative error {errors.max():.2e} at evaluation {errors.argmax() + 1} {'ok' if ok else 'FAILED'}")
    return 1 if failed else 0


if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    print("PyTorch", torch.__version__)
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "../../docs/images/demo.jpg")))
