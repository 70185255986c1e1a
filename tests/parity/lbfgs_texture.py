"""Texture synthesis of a 64x64 photograph from the same start: the first 50 evaluations, f64, exact mode.

The path amplifies rounding: its first steps are tiny, so the changes of the gradient that L-BFGS builds on are
differences of nearly equal numbers; and once an activation lies beside a threshold (ReLU's, Top-K's), on the other side
here than in PyTorch, the gradients are different ones. So judged are

- the tool: its losses are those of dump_texture, which also tells the points and gradients, bit for bit;
- loss and gradient: at each of our points PyTorch finds the same, to 1e-13 and 1e-12;
- the decisions of L-BFGS: the two paths stay together, losses to 1e-3 and points to 1e-4 of their largest value, up to
  the first evaluation where a gate falls otherwise at our point than at PyTorch's, or where PyTorch with noise of its
  rounding's size in its gradients parts from itself by 1e-6; that must not come before the 20th. A decision that is
  another one moves the points at once, before any gate: one try less in a search by 0.2.

A search has 25 tries after its first, as in the published code's PyTorch; the newest (2.15) lets a search have
only what max_eval leaves, so its own number is overridden. Usage: lbfgs_texture.py [PHOTOGRAPH]
"""

import copy
import os
import sys
import tempfile

import numpy
import torch
import torch.optim.lbfgs as torch_lbfgs
from PIL import Image

from gestalt_io import read_safetensors, run_tool, write_safetensors
from texture_network import TAPS, gram, make_vgg19, sparse, topk_mask

SIZE = 64
EVALUATIONS = 50
MEAN = torch.tensor([0.40760392, 0.45795686, 0.48501961]).reshape(1, 3, 1, 1)

strong_wolfe = torch_lbfgs._strong_wolfe
torch_lbfgs._strong_wolfe = lambda *arguments, **options: strong_wolfe(*arguments, **{**options, "max_ls": 25})


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


class Texture:
    """PyTorch's loss of the parameters u."""

    def __init__(self, network, target, fraction, reverse):
        self.network, self.fraction, self.reverse = network, fraction, reverse
        self.low, self.size = target.min(), target.max() - target.min()
        with torch.no_grad():
            self.targets = [gram(tap) for tap in self.forward(target)[0]]

    def to_parameters(self, image):
        p = ((image - self.low) / self.size).clamp(1e-6, 1 - 1e-6)
        return p.log() - (1 - p).log()

    def forward(self, x):
        """The sparse taps; of every ReLU and Top-K, which elements it lets through."""
        taps, gates = [], []
        for name, layer in self.network.named_children():
            x = layer(x)
            if isinstance(layer, torch.nn.ReLU):
                gates.append(x.detach() > 0)
            if name in TAPS:
                if self.fraction < 1:
                    gates.append(topk_mask(x.detach(), self.fraction) > 0)
                taps.append(sparse(x, self.fraction, self.reverse))
            if name == TAPS[-1]:
                return taps, gates

    def evaluate(self, u):
        """Loss, gradient, gates."""
        u = u.detach().clone().requires_grad_(True)
        taps, gates = self.forward(torch.sigmoid(u) * self.size + self.low)
        loss = sum(1e9 / 4 * (gram(tap) - target).square().sum() for tap, target in zip(taps, self.targets))
        loss.backward()
        return loss.item(), u.grad, gates

    def path(self, initial, noise=0.0):
        """Points, losses and gates of the first evaluations of L-BFGS."""
        u = self.to_parameters(initial).requires_grad_(True)
        optimizer = torch.optim.LBFGS([u], lr=1, max_iter=20, tolerance_grad=0, tolerance_change=0,
                                      history_size=100, line_search_fn="strong_wolfe")
        points, losses, gates = [], [], []

        def closure():
            loss, gradient, let_through = self.evaluate(u)
            u.grad = gradient + noise * gradient.square().mean().sqrt() * torch.randn_like(gradient)
            if len(losses) < EVALUATIONS:
                points.append(u.detach().clone())
                losses.append(loss)
                gates.append(let_through)
            return torch.tensor(loss, dtype=u.dtype)

        while len(losses) < EVALUATIONS:
            optimizer.step(closure)
        return torch.cat(points), numpy.array(losses), gates


def distance(points, others):
    """Of each point from the other, the largest difference over the largest value."""
    return ((points - others).abs().amax((1, 2, 3)) / others.abs().amax((1, 2, 3))).numpy()


def first(found):
    """How many evaluations come before the first one where that is true."""
    return int(numpy.argmax(found)) if numpy.any(found) else EVALUATIONS


class Comparison:
    def __init__(self, path, folder, weights, network, target, fraction, reverse):
        self.path, self.folder, self.weights = path, folder, weights
        self.network, self.target, self.fraction, self.reverse = network, target, fraction, reverse
        self.ok = True

    def file(self, name):
        return os.path.join(self.folder, name)

    def judge(self, what, value, limit):
        good = bool(value <= limit)
        print(f"  f64 {what}: {value:.1e} (allowed {limit:g}) {'ok' if good else 'FAILED'}")
        self.ok &= good

    def tool(self, dtype, steps, initial=None):
        """Losses and initial image, which is the tool's own noise where none is given."""
        given, out = self.file("initial.safetensors"), self.file("run.safetensors")
        if initial is not None:
            write_safetensors(given, {"image": initial.numpy()})
        run_tool("synthesize_texture", "-i", self.path, "-o", self.file("out"), "-m", self.weights,
                 "-n", steps, "--image_size", SIZE, "--topk", self.fraction,
                 *(["--reverse_topk"] if self.reverse else []),
                 *(["--init_image", given] if initial is not None else []),
                 "--dtype", dtype, "--exact", "--quiet", "--save_tensors", out)
        run = read_safetensors(out)
        return run["losses"][:EVALUATIONS], torch.from_numpy(run["initial"])

    def ours(self, initial):
        given, out = self.file("given.safetensors"), self.file("path.safetensors")
        write_safetensors(given, {"target": self.target.numpy(), "initial": initial.numpy()})
        run_tool("dump_texture", self.weights, given, out, self.fraction, "reverse" if self.reverse else "keep",
                 EVALUATIONS)
        run = read_safetensors(out)
        return torch.from_numpy(run["points"]), run["losses"], torch.from_numpy(run["gradients"])

    def in_f32(self):
        """Not judged: PyTorch with one thread and with two part within ten evaluations. Returns the initial image."""
        losses, initial = self.tool("f32", 3)
        torch_texture = Texture(self.network, self.target, self.fraction, self.reverse)
        _, expected, _ = torch_texture.path(initial)
        _, noisy, _ = torch_texture.path(initial, 1.5e-7)
        print(f"  f32 losses agree to 1e-3 for {first(numpy.abs(losses - expected) > 1e-3 * expected)} evaluations, "
              f"PyTorch's with noise for {first(numpy.abs(noisy - expected) > 1e-3 * expected)}; "
              f"{expected[0]:.6g} -> {expected[-1]:.6g}, here {losses[-1]:.6g}")
        return initial

    def in_f64(self, initial):
        tool_losses, _ = self.tool("f64", 2, initial)
        points, losses, gradients = self.ours(initial)
        count = len(tool_losses)
        self.judge(f"losses of the tool in {count} evaluations that are not dump_texture's",
                   numpy.count_nonzero(tool_losses != losses[:count]), 0)

        initial = initial.double()
        torch_texture = Texture(copy.deepcopy(self.network).double(), self.target.double(), self.fraction, self.reverse)
        expected_points, expected, expected_gates = torch_texture.path(initial)
        loss_error, gradient_error, flipped = [], [], []
        for point, loss, gradient, gates in zip(points, losses, gradients, expected_gates):
            its_loss, its_gradient, its_gates = torch_texture.evaluate(point[None])
            loss_error.append(abs(loss - its_loss) / its_loss)
            gradient_error.append(float((gradient - its_gradient[0]).norm() / its_gradient.norm()))
            flipped.append(sum(int((a != b).sum()) for a, b in zip(its_gates, gates)))
        self.judge("loss at our points", max(loss_error), 1e-13)
        self.judge("gradient at our points", max(gradient_error), 1e-12)

        _, noisy, _ = torch_texture.path(initial, 1e-15)
        apart = distance(points, expected_points)
        error, noise_error = numpy.abs(losses - expected) / expected, numpy.abs(noisy - expected) / expected
        flip, parting = first(numpy.array(flipped) > 0), first(noise_error > 1e-6)
        count = min(flip, parting)
        print(f"  f64 PyTorch with noise agrees with itself to 1e-6 for {parting} evaluations, to "
              f"{noise_error.max():.1e} in all; losses here to 1e-6 for {first(error > 1e-6)}, to 1e-3 for "
              f"{first(error > 1e-3)}, to {error.max():.1e} in all; gates "
              + (f"part at evaluation {flip + 1} ({flipped[flip]}), points {apart[flip]:.1e} apart"
                 if flip < EVALUATIONS else "never part"))
        self.judge("evaluations judged, short of 20", max(0, 20 - count), 0)
        self.judge(f"losses of {count} evaluations", error[:count].max(initial=0), 1e-3)
        together = slice(0, count + 1)  # the point where a gate falls otherwise came before that
        self.judge(f"distance of {len(apart[together])} points", apart[together].max(), 1e-4)

    def run(self):
        print(f"topk {self.fraction:g}{' reversed' if self.reverse else ''}", flush=True)
        self.in_f64(self.in_f32())
        return self.ok


def main(path):
    target = load(path)
    with torch.no_grad():
        network = well_scaled(make_vgg19(), target)
    with tempfile.TemporaryDirectory() as folder:
        weights = os.path.join(folder, "vgg.pth")
        torch.save(network.state_dict(), weights)
        results = [Comparison(path, folder, weights, network, target, fraction, reverse).run()
                   for fraction, reverse in ((1.0, False), (0.05, False), (0.05, True))]
    return 0 if all(results) else 1


if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    print("PyTorch", torch.__version__)
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "../../docs/images/demo.jpg")))
