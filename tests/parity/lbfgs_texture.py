"""Texture synthesis of a 64x64 photograph from the same start: the losses of the first 50 evaluations.

L-BFGS amplifies rounding errors: its first steps are tiny, so the changes of the gradient that it builds on are
differences of nearly equal numbers. PyTorch whose gradients carry noise of the size of their rounding errors parts
from itself. That run of PyTorch against PyTorch stands beside ours, and is the measure: judged is f64, exact mode,
1e-3 relative for as long as PyTorch agrees with itself to 1e-6. (A start moved a little is no such measure: it moves
two gradients alike, and their difference hardly at all.) Usage: lbfgs_texture.py [PHOTOGRAPH]
"""

import copy
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


def well_scaled(network, images):
    """Filters without a mean, scaled so that each one's mean activation is 1: the untrained network's form."""
    x = images
    for layer in network:
        if isinstance(layer, torch.nn.Conv2d):
            layer.weight -= layer.weight.mean((1, 2, 3), keepdim=True)
            layer.bias.zero_()
            activation = torch.relu(layer(x)).mean((0, 2, 3))
            layer.weight /= (activation + 1e-3 * activation.mean()).reshape(-1, 1, 1, 1)
        x = layer(x)
    return network


def torch_losses(network, target, initial, fraction, reverse, noise=0.0):
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
        u.grad += noise * u.grad.square().mean().sqrt() * torch.randn_like(u)
        losses.append(loss.item())
        return loss

    while len(losses) < EVALUATIONS:
        optimizer.step(closure)
    return numpy.array(losses[:EVALUATIONS])


def compare(path, folder, weights, network, target, fraction, reverse):
    out = os.path.join(folder, "run.safetensors")

    def ours(dtype):
        run_tool("synthesize_texture", "-i", path, "-o", os.path.join(folder, "out"), "-m", weights, "-n", 3,
                 "--image_size", SIZE, "--topk", fraction, *(["--reverse_topk"] if reverse else []),
                 "--dtype", dtype, "--exact", "--quiet", "--save_tensors", out)
        run = read_safetensors(out)
        return run["losses"][:EVALUATIONS], torch.from_numpy(run["initial"])

    def errors(a, b):
        return numpy.abs(a - b) / b

    def steady(parted, limit):
        """Evaluations before the first error above the limit."""
        return int(numpy.argmax(parted > limit)) if (parted > limit).any() else EVALUATIONS

    print(f"topk {fraction:g}{' reversed' if reverse else ''}")
    ok = True
    for dtype, noise in (("f64", 1e-15), ("f32", 1.5e-7)):  # how far gradients at one point are apart
        got, initial = ours(dtype)
        cast = (lambda x: x.double()) if dtype == "f64" else (lambda x: x)
        arguments = (cast(copy.deepcopy(network)), cast(target), cast(initial), fraction, reverse)
        expected = torch_losses(*arguments)
        here, itself = errors(got, expected), errors(torch_losses(*arguments, noise), expected)
        count = steady(itself, 1e-6 if dtype == "f64" else 1e-4)
        largest = here[:count].max() if count else 0.0
        print(f"  {dtype}: PyTorch with noise of {noise:g} in its gradients agrees with itself for {count} evaluations, to 1e-3 for "
              f"{steady(itself, 1e-3)}; here agrees to 1e-3 for {steady(here, 1e-3)}, error in the first {count} {largest:.1e}; "
              f"loss {expected[0]:.6g} -> {expected[-1]:.6g}, here {got[-1]:.6g}")
        if dtype == "f64":
            ok = count >= 20 and largest <= 1e-3
            print(f"  f64: {'ok' if ok else 'FAILED'}")
    return ok


def main(path):
    target = load(path)
    with torch.no_grad():
        network = well_scaled(make_vgg19(), target)
    with tempfile.TemporaryDirectory() as folder:
        weights = os.path.join(folder, "vgg.pth")
        torch.save(network.state_dict(), weights)
        results = [compare(path, folder, weights, network, target, fraction, reverse)
                   for fraction, reverse in ((1.0, False), (0.05, False), (0.05, True))]
    return 0 if all(results) else 1


if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    print("PyTorch", torch.__version__)
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "../../docs/images/demo.jpg")))
